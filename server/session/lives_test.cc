// What killed and lost guests held comes back.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "server/guest/pid_namespace.h"
#include "server/guest/process.h"
#include "server/reactor/pidfd.h"
#include "server/session/testing/child.h"
#include "server/session/testing/personalities.h"
#include "server/session/testing/served_test.h"

namespace guise::server {
namespace {

using testing::AwaitReclaims;
using testing::Child;
using testing::GuestMemory;
using testing::kAlpha;
using testing::kBeta;
using testing::Served;
using testing::ServedTest;
using testing::TestProcess;
using testing::TestThread;

class LivesTest : public ServedTest {
 protected:
  // Looks until so many live, or the session is no more.
  std::vector<GuestInfo> AwaitGuests(const Served::Kept& kept, size_t count) {
    while (true) {
      const absl::StatusOr<SessionInfo> info = sessions().Get(kept.info.id);
      if (!info.ok()) return {};
      if (info->guests.size() == count) return info->guests;
    }
  }
};

TEST_P(LivesTest, AKilledGuestsSlotsAndRecordsComeBack) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  constexpr uint32_t kHeld = 5;
  Child child([&] {
    TestProcess process(memory);
    TestThread thread(memory, process);
    for (int i = 0; i < 7; ++i) thread.Call(SYS_geteuid);
    uint32_t slot = 0;
    thread.TryTake(&slot);  // 0: taken, never posted
    thread.TryTake(&slot);  // 1: posted, never rung
    thread.Write(slot, SYS_geteuid);
    thread.TryTake(&slot);  // 2: a Run not begun
    thread.Await(slot, wire::Key(thread.Post(slot, SYS_getegid), 1));
    thread.TryTake(&slot);  // 3: a Run begun, and done unrung
    const uint64_t key = wire::Key(thread.Post(slot, SYS_getegid), 1);
    thread.Await(slot, key);
    memory.Slot(slot).run.begun.Release(key);
    memory.Slot(slot).run.done.Release(key);
    thread.TryTake(&slot);  // 4: answered, never freed
    thread.Await(slot, wire::Key(thread.Post(slot, SYS_geteuid), 1));
  });
  child.AwaitReady();
  for (uint32_t slot = 0; slot < kHeld; ++slot) ASSERT_TRUE(memory.HoldsSlot(slot)) << slot;
  ASSERT_TRUE(memory.HoldsProcess(0));
  child.Kill();
  AwaitReclaims(memory, [&] { return !memory.HoldsProcess(0); });
  for (uint32_t slot = 0; slot < kHeld; ++slot) EXPECT_FALSE(memory.HoldsSlot(slot)) << slot;
  EXPECT_FALSE(memory.HoldsThread(0));

  // The next holders of the same slots get their own answers and no others.
  TestProcess process(memory);
  EXPECT_EQ(process.record(), 0u);
  TestThread thread(memory, process);
  EXPECT_EQ(thread.record(), 0u);
  thread.set_native([](uint32_t, const uint64_t(&)[6]) { return uint64_t{21}; });
  for (uint32_t slot = 0; slot < kHeld; ++slot) {
    uint32_t taken = 0;
    ASSERT_TRUE(thread.TryTake(&taken));
    ASSERT_EQ(taken, slot);
    EXPECT_EQ(thread.Converse(slot, SYS_getegid).value, 42u) << slot;
    EXPECT_EQ(thread.Converse(slot, SYS_geteuid).value, kAlpha) << slot;
  }
  // Seven of the dead guest, which were tallied, and ten of ours.
  const absl::StatusOr<SessionInfo> info = sessions().Get(kept.info.id);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->totals.calls[2][1], 17u);
  ASSERT_EQ(info->guests.size(), 1u);
  EXPECT_EQ(info->guests[0].pid, getpid());
}

TEST_P(LivesTest, ATakenSlotNobodyReadOverIsNotServedForItsDeadHolder) {
  // The dead guest's call would be seen when the slot's next holder rings for another slot.
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  Child child([&] {
    TestProcess process(memory);
    TestThread thread(memory, process);
    thread.Call(SYS_geteuid);
    uint32_t slot = 0;
    thread.TryTake(&slot);
    thread.Write(slot, SYS_getegid);
    memory.Group(0).header.posts.Add(1);  // killed between the post and the bell
  });
  child.AwaitReady();
  child.Kill();
  AwaitReclaims(memory, [&] { return !memory.HoldsSlot(0); });
  TestProcess process(memory);
  TestThread thread(memory, process);
  uint32_t slot = 0;
  ASSERT_TRUE(thread.TryTake(&slot));
  ASSERT_EQ(slot, 0u);
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);
  // No real step was answered to the dead holder's sequence.
  EXPECT_TRUE(wire::TurnOf(memory.Slot(0).call.sequence.Acquire(), 0, memory.Line(0).answer.Acquire()) ==
              wire::Turn::kNothing);
  EXPECT_EQ(thread.Converse(slot, SYS_geteuid).value, kAlpha);
}

TEST_P(LivesTest, AGuestThatNeverRangIsFoundByLooking) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  Child child([&] {
    TestProcess process(memory);
    TestThread thread(memory, process);
    uint32_t slot = 0;
    thread.TryTake(&slot);
  });
  child.AwaitReady();
  const absl::StatusOr<SessionInfo> info = sessions().Get(kept.info.id);  // looks at all records
  ASSERT_TRUE(info.ok());
  ASSERT_EQ(info->guests.size(), 1u);
  EXPECT_EQ(info->guests[0].pid, child.pid());
  child.Kill();
  AwaitReclaims(memory, [&] { return !memory.HoldsProcess(0); });
  EXPECT_FALSE(memory.HoldsSlot(0));

  // And one that is dead before anybody has looked.
  Child quick([&] {
    TestProcess process(memory);
    TestThread thread(memory, process);
    uint32_t slot = 0;
    thread.TryTake(&slot);
  });
  quick.AwaitReady();
  quick.Kill();
  ASSERT_TRUE(memory.HoldsSlot(0));
  ASSERT_TRUE(sessions().Get(kept.info.id).ok());
  ASSERT_TRUE(sessions().Get(kept.info.id).ok());  // dead at two looks
  AwaitReclaims(memory, [&] { return !memory.HoldsProcess(0); });
  EXPECT_FALSE(memory.HoldsSlot(0));
}

TEST_P(LivesTest, ARecordOfWhichOnlyTheOwnerIsWrittenIsItsTakersWhileItLives) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  // As a guest that is stopped right after it has taken the record.
  Child child([&] {
    TestProcess process(memory);
    memory.Process(0).taken_at.Release(1);
  });
  child.AwaitReady();
  for (int look = 0; look < 3; ++look) ASSERT_TRUE(sessions().Get(kept.info.id).ok());
  EXPECT_TRUE(memory.HoldsProcess(0));
  child.Kill();
  for (int look = 0; look < 2; ++look) ASSERT_TRUE(sessions().Get(kept.info.id).ok());
  AwaitReclaims(memory, [&] { return !memory.HoldsProcess(0); });
}

TEST_P(LivesTest, WhatAProcessLeavesBehindComesBackThoughItGaveItsRecordBack) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  Child child([&] {
    TestProcess process(memory);
    TestThread other(memory, process);  // a sibling that exit_group(2) kills in a call
    TestThread thread(memory, process);
    thread.Call(SYS_geteuid);
    uint32_t slot = 0;
    other.TryTake(&slot);
    thread.GiveBack();
    process.GiveBack();
  });
  child.AwaitReady();
  // Another process takes the record meanwhile, and lives.
  TestProcess process(memory);
  ASSERT_EQ(process.record(), 0u);
  TestThread thread(memory, process);
  const uint32_t own = thread.Take();
  child.Kill();
  AwaitReclaims(memory, [&] { return !memory.HoldsSlot(0); });
  EXPECT_FALSE(memory.HoldsThread(0));
  EXPECT_TRUE(memory.HoldsProcess(0));
  EXPECT_TRUE(memory.HoldsThread(thread.record()));
  EXPECT_TRUE(memory.HoldsSlot(own));
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);
}

TEST_P(LivesTest, ThreadsThatAnExecHasKilledComeBackAndLetDrain) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  TestProcess process(memory);
  TestThread thread(memory, process);
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);
  uint32_t lost = 0;
  uint32_t slot = 0;
  std::thread([&] {  // dies without giving anything back
    TestThread sibling(memory, process);
    lost = sibling.record();
    slot = sibling.Take();
    memory.Thread(lost).in_gate.Release(1);
  })
      .join();
  const absl::StatusOr<uint32_t> epoch =
      sessions().PublishStack(kept.info.id, {"beta"}, absl::Now() + absl::Minutes(1));
  EXPECT_TRUE(epoch.ok()) << epoch.status();
  EXPECT_FALSE(memory.HoldsThread(lost));
  EXPECT_FALSE(memory.HoldsSlot(slot));
  EXPECT_TRUE(memory.HoldsThread(thread.record()));
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kBeta);
}

TEST_P(LivesTest, ARecordThatNamesAYoungerProcessIsNotBelieved) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  TestProcess process(memory);
  TestThread thread(memory, process);
  memory.Process(process.record()).taken_at.StoreRelaxed(1);  // before this process began
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);          // served all the same
  const absl::StatusOr<SessionInfo> info = sessions().Get(kept.info.id);
  ASSERT_TRUE(info.ok());
  EXPECT_TRUE(info->guests.empty());
}

TEST_P(LivesTest, AnAbandonedSlotComesBack) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  TestProcess process(memory);
  TestThread thread(memory, process);
  const uint32_t slot = thread.Take();
  thread.Await(slot, wire::Key(thread.Post(slot, SYS_getegid), 1));
  wire::RunLine& run = memory.Slot(slot).run;
  run.state.Release(wire::StateWord(run.owner.Relaxed(), wire::SlotState::kAbandoned));
  thread.Ring(slot);
  AwaitReclaims(memory, [&] { return !memory.HoldsSlot(slot); });
  const uint32_t again = thread.Take();
  EXPECT_EQ(again, slot);
  EXPECT_EQ(thread.Converse(again, SYS_geteuid).value, kAlpha);
}

// Processes of a new pid namespace: guests, which make a call and wait, and others.
class InNamespace {
 public:
  static constexpr int kMost = 4;

  explicit InNamespace(const GuestMemory& memory)
      : started_(static_cast<std::atomic<pid_t>*>(
            mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    for (int* const ends : {ask_, answer_, called_}) {
      if (pipe2(ends, O_CLOEXEC) != 0) abort();
    }
    maker_ = fork();
    if (maker_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool made = unshare(CLONE_NEWPID | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) == 0;
    char byte = made ? 1 : 0;
    if (write(answer_[1], &byte, 1) != 1) _exit(1);
    for (int i = 0; read(ask_[0], &byte, 1) == 1; ++i) {
      pid_t started = 0;
      if (byte == kStranger) {
        // Back when the memory is left behind.
        char* const argv[] = {const_cast<char*>("sleep"), const_cast<char*>("1000"), nullptr};
        if (posix_spawnp(&started, argv[0], nullptr, nullptr, argv, environ) != 0) _exit(1);
      } else {
        started = fork();
        if (started == 0) Call(memory);
        // Nobody is to look at a record that is half written.
        if (read(called_[0], &byte, 1) != 1) _exit(1);
      }
      started_[i] = started;
      if (write(answer_[1], "\1", 1) != 1) _exit(1);
    }
    _exit(0);
  }
  // With process 1 all end.
  ~InNamespace() {
    if (started_[0] > 0) kill(started_[0], SIGKILL);
    kill(maker_, SIGKILL);
    waitpid(maker_, nullptr, 0);
    for (const int fd : {ask_[0], ask_[1], answer_[0], answer_[1], called_[0], called_[1]}) close(fd);
    munmap(started_, 4096);
  }

  bool Await() const {
    char byte = 0;
    return read(answer_[0], &byte, 1) == 1 && byte == 1;
  }
  // The pid here of process i + 1 there. A stranger has nothing of the session.
  static constexpr char kGuest = 1;
  static constexpr char kStranger = 2;
  pid_t Start(int i, char kind = kGuest) const {
    return write(ask_[1], &kind, 1) == 1 && Await() ? started_[i].load() : -1;
  }

 private:
  [[noreturn]] void Call(const GuestMemory& memory) const {
    TestProcess process(memory);
    TestThread thread(memory, process);
    thread.Call(SYS_geteuid);
    const char byte = 1;
    if (write(called_[1], &byte, 1) != 1) _exit(1);
    while (true) pause();
  }

  std::atomic<pid_t>* const started_;
  int ask_[2] = {}, answer_[2] = {}, called_[2] = {};
  pid_t maker_ = -1;
};

TEST_P(LivesTest, GuestsOfASandboxAreFoundWithoutALookThroughProcForEach) {
  Served::Kept kept = served_.Keep({"alpha", "cell"}, {}, v1::SandboxPolicy());
  const InNamespace guests(*kept.memory);
  if (!guests.Await()) GTEST_SKIP() << "no pid namespaces here";
  const pid_t first = guests.Start(0);
  ASSERT_GT(first, 0);
  std::vector<GuestInfo> living = AwaitGuests(kept, 1);
  ASSERT_EQ(living.size(), 1u);
  EXPECT_EQ(living[0].pid, first);
  const OwnedFd pidfd = OpenPidfd(first);
  if (PidNamespace::Of(first, pidfd).Find(1) != first) GTEST_SKIP() << "this kernel does not say who is called so";
  const uint64_t before = LooksThroughProc();
  for (int i = 1; i < InNamespace::kMost; ++i) {
    const pid_t next = guests.Start(i);
    ASSERT_GT(next, 0);
    living = AwaitGuests(kept, static_cast<size_t>(i) + 1);
    EXPECT_EQ(std::count_if(living.begin(), living.end(), [&](const GuestInfo& guest) { return guest.pid == next; }),
              1);
  }
  // Nor for a record of nobody, as short programs leave behind.
  TestProcess nobody(*kept.memory, 0, 0, 12345);
  TestThread thread(*kept.memory, nobody);
  thread.Post(thread.Take(), SYS_geteuid);
  AwaitReclaims(*kept.memory, [&] { return !kept.memory->HoldsProcess(nobody.record()); });
  EXPECT_EQ(LooksThroughProc(), before);
}

TEST_P(LivesTest, ANameInTheNamespaceIsNotBelievedOfWhoDoesNotUseTheMemory) {
  Served::Kept kept = served_.Keep({"alpha", "cell"}, {}, v1::SandboxPolicy());
  const InNamespace guests(*kept.memory);
  if (!guests.Await()) GTEST_SKIP() << "no pid namespaces here";
  const pid_t first = guests.Start(0);
  ASSERT_GT(first, 0);
  ASSERT_EQ(AwaitGuests(kept, 1).size(), 1u);
  ASSERT_GT(guests.Start(1, InNamespace::kStranger), 0);
  TestProcess liar(*kept.memory, 0, 0, 2);
  TestThread thread(*kept.memory, liar);
  thread.Post(thread.Take(), SYS_geteuid);
  AwaitReclaims(*kept.memory, [&] { return !kept.memory->HoldsProcess(liar.record()); });
  const std::vector<GuestInfo> living = AwaitGuests(kept, 1);
  ASSERT_EQ(living.size(), 1u);
  EXPECT_EQ(living[0].pid, first);
}

INSTANTIATE_BOTH_WAYS(LivesTest);

}  // namespace
}  // namespace guise::server
