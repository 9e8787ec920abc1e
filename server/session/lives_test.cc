// Births and deaths: what a killed guest held comes back, sessions end when they should, the fd socket refuses whom it
// should, and a hostile session harms nobody else.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "server/channel/futex.h"
#include "server/session/testing/personalities.h"
#include "server/session/testing/served.h"

namespace guise::server {
namespace {

using testing::Attached;
using testing::GuestMemory;
using testing::kAlpha;
using testing::kBeta;
using testing::Served;
using testing::TestProcess;
using testing::TestThread;

// A forked guest: runs `body`, says so through a pipe, and waits to be killed.
class Child {
 public:
  explicit Child(const std::function<void()>& body) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) abort();
    ready_ = OwnedFd(ends[0]);
    OwnedFd mine(ends[1]);
    pid_ = fork();
    if (pid_ != 0) return;
    body();
    const char byte = 1;
    if (write(mine.get(), &byte, 1) != 1) _exit(1);
    while (true) pause();
  }
  ~Child() { Kill(); }

  pid_t pid() const { return pid_; }
  void AwaitReady() const {
    char byte = 0;
    ASSERT_EQ(read(ready_.get(), &byte, 1), 1) << "the child died early";
  }
  // For a body that ends in execve(2).
  void AwaitExec() const {
    char byte = 0;
    ASSERT_EQ(read(ready_.get(), &byte, 1), 0) << "the child has not executed anything";
  }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    Await();
  }
  int Await() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  OwnedFd ready_;
};

// Waits until the server has given something back so that `done` holds.
void AwaitReclaims(const GuestMemory& memory, const std::function<bool()>& done) {
  const wire::Cell<uint32_t>& reclaims = memory.Reply(0).reclaims;
  while (true) {
    const uint32_t seen = reclaims.Acquire();
    if (done()) return;
    FutexWait(reclaims.Address(), seen);
  }
}

class LivesTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && served_.sessions().Waiting() != "io_uring futex") {
      GTEST_SKIP() << "this kernel has no io_uring futexes";
    }
  }
  Sessions& sessions() { return served_.sessions(); }

  Served served_{{.allow_io_uring = GetParam()}};
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

TEST_P(LivesTest, ASessionEndsWhenItsKeeperHasGoneAndNoGuestLives) {
  Served::Kept kept = served_.Keep({"alpha"});
  const std::string id = kept.info.id;
  const GuestMemory& memory = *kept.memory;
  Child child([&] {
    TestProcess process(memory);
    TestThread thread(memory, process);
    thread.Call(SYS_geteuid);
  });
  child.AwaitReady();
  EXPECT_EQ(sessions().Get(id)->state, SessionState::kRunning);
  kept.keeper = {};
  EXPECT_EQ(sessions().Wait(id, absl::Now() + absl::Milliseconds(200)).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(sessions().Living(), 1u);
  EXPECT_EQ(sessions().IdleSince(), absl::InfiniteFuture());
  child.Kill();
  EXPECT_TRUE(sessions().Wait(id, absl::InfiniteFuture()).ok());
  EXPECT_EQ(sessions().Living(), 0u);
  EXPECT_LE(sessions().IdleSince(), absl::Now());
  // It is remembered, with its calls, but neither listed nor alive.
  const absl::StatusOr<SessionInfo> info = sessions().Get(id);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->state, SessionState::kEnded);
  EXPECT_EQ(info->totals.calls[2][1], 1u);
  EXPECT_TRUE(sessions().List().empty());
  EXPECT_EQ(sessions().ExecInto(id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(sessions().Wait(id, absl::InfinitePast()).ok());
}

TEST_P(LivesTest, AConnectionForOneMoreGuestKeepsTheSession) {
  Served::Kept kept = served_.Keep({"alpha"});
  const std::string id = kept.info.id;
  Attached guest = served_.Attach(wire::FdOp::kGuest, kept.info.number);
  EXPECT_EQ(guest.reply.error, 0);
  EXPECT_EQ(guest.fds.size(), 2u);
  kept.keeper = {};
  EXPECT_EQ(sessions().Wait(id, absl::Now() + absl::Milliseconds(200)).code(), absl::StatusCode::kDeadlineExceeded);
  guest = {};
  EXPECT_TRUE(sessions().Wait(id, absl::InfiniteFuture()).ok());
}

TEST_P(LivesTest, ASessionThatNobodyJoinsEnds) {
  Served served({.allow_io_uring = GetParam(), .join_within = absl::Milliseconds(30)});
  SessionOptions options;
  options.layers = {"linux"};
  const absl::StatusOr<SessionInfo> info = served.sessions().Create(options);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->state, SessionState::kStarting);
  EXPECT_TRUE(served.sessions().Wait(info->id, absl::InfiniteFuture()).ok());
}

TEST_P(LivesTest, StopKillsWhoDoesNotListenAndTellsTheKeeper) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  const auto join = [&] {
    TestProcess process(memory);
    TestThread thread(memory, process);
    thread.Call(SYS_geteuid);
  };
  Child deaf([&] {
    signal(SIGTERM, SIG_IGN);
    join();
  });
  Child polite(join);
  deaf.AwaitReady();
  polite.AwaitReady();
  const absl::StatusOr<uint32_t> stopped = sessions().Stop(kept.info.id, SIGTERM, absl::Milliseconds(50));
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(*stopped, 2u);
  EXPECT_EQ(WTERMSIG(deaf.Await()), SIGKILL);
  EXPECT_EQ(WTERMSIG(polite.Await()), SIGTERM);
  char byte = 0;
  EXPECT_EQ(read(kept.keeper.connection.get(), &byte, 1), 0);
  EXPECT_EQ(sessions().Stop(kept.info.id).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(LivesTest, StopSignalsNoStrangerThatARecordNames) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  // A stranger: it has given up what it inherited by fork.
  Child stranger([&] {
    munmap(memory.request(), wire::kRequestSize);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    execlp("sleep", "sleep", "1000", nullptr);
  });
  stranger.AwaitExec();
  TestProcess process(memory);
  TestThread thread(memory, process);
  memory.Process(process.record()).pid.Release(static_cast<uint32_t>(stranger.pid()));
  memory.Process(process.record()).taken_at.StoreRelaxed(~uint64_t{0});
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);
  EXPECT_FALSE(sessions().IsGuest(stranger.pid()));
  const absl::StatusOr<uint32_t> stopped = sessions().Stop(kept.info.id, SIGKILL, absl::ZeroDuration());
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(*stopped, 0u);
  EXPECT_EQ(kill(stranger.pid(), 0), 0);
  EXPECT_EQ(waitpid(stranger.pid(), nullptr, WNOHANG), 0);
}

TEST_P(LivesTest, TheFdSocketGivesWhatItPromises) {
  Served::Kept kept = served_.Keep({"alpha"});
  EXPECT_EQ(kept.keeper.reply.pid, getpid());
  EXPECT_EQ(kept.keeper.reply.session, kept.info.number);
  ASSERT_EQ(kept.keeper.fds.size(), 5u);
  const auto fd = [&](wire::FdIndex index) { return kept.keeper.fds[index].get(); };
  const auto writable = [](int file) {
    void* data = mmap(nullptr, wire::kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (data != MAP_FAILED) munmap(data, wire::kPageSize);
    return data != MAP_FAILED;
  };
  EXPECT_TRUE(writable(fd(wire::kFdRequest)));
  EXPECT_FALSE(writable(fd(wire::kFdReply)));
  EXPECT_TRUE(writable(fd(wire::kFdReplyKeeper)));
  EXPECT_TRUE(writable(fd(wire::kFdStore)));
  for (const wire::FdIndex index : {wire::kFdRequest, wire::kFdReply, wire::kFdStore}) {
    EXPECT_EQ(fcntl(fd(index), F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  }
  EXPECT_EQ(kept.memory->Group(0).root.header.magic, wire::kRequestMagic);
  EXPECT_EQ(kept.memory->Group(0).root.header.session, kept.info.number);
  EXPECT_EQ(kept.memory->Reply(0).header.magic, wire::kReplyMagic);
}

TEST_P(LivesTest, TheFdSocketRefusesWhatIsWrong) {
  Served::Kept kept = served_.Keep({"alpha"});
  const uint32_t number = kept.info.number;
  EXPECT_EQ(served_.Attach(wire::FdOp::kAttach, number).reply.error, -EBUSY);
  EXPECT_EQ(served_.Attach(wire::FdOp::kAttach, number + 1).reply.error, -ESRCH);
  EXPECT_EQ(served_.Attach(static_cast<wire::FdOp>(9), number).reply.error, -EINVAL);
  EXPECT_EQ(served_.Ask("x", 1).reply.error, -EINVAL);
  const std::string long_message(5000, 'x');
  EXPECT_EQ(served_.Ask(long_message.data(), long_message.size()).reply.error, -EINVAL);
  wire::FdMessage newer = {};
  newer.magic = wire::kFdSocketMagic;
  newer.version = 99;
  newer.op = wire::FdOp::kAttach;
  newer.session = number;
  EXPECT_EQ(served_.Ask(&newer, sizeof(newer)).reply.error, -EPROTONOSUPPORT);
  const Attached refused = served_.Attach(wire::FdOp::kAttach, number);
  EXPECT_TRUE(refused.fds.empty());
  // The keeper is still the keeper.
  EXPECT_EQ(sessions().Get(kept.info.id)->state, SessionState::kRunning);
}

TEST_P(LivesTest, TheFdSocketRefusesGuestsAndTheirChildren) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  const uint32_t number = kept.info.number;
  const auto refused = [&] { return served_.Attach(wire::FdOp::kGuest, number).reply.error == -EPERM; };
  Child child([&] {
    TestProcess process(memory);
    if (!refused()) _exit(1);
    // A child that the shim does not see.
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(refused() ? 0 : 1);
    int status = 0;
    if (waitpid(grandchild, &status, 0) != grandchild || status != 0) _exit(2);
  });
  child.AwaitReady();
  EXPECT_TRUE(sessions().IsGuest(child.pid()));
  EXPECT_FALSE(sessions().IsGuest(getpid()));
  EXPECT_FALSE(sessions().IsGuest(1));
}

TEST_P(LivesTest, NamesAreUniqueAmongTheLiving) {
  SessionOptions options;
  options.layers = {"linux"};
  options.name = "mine";
  const absl::StatusOr<SessionInfo> first = sessions().Create(options);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(sessions().Create(options).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(sessions().Get("mine")->number, first->number);
  ASSERT_TRUE(sessions().Stop("mine").ok());
  EXPECT_TRUE(sessions().Create(options).ok());
  options.name = "0123abcd";
  EXPECT_EQ(sessions().Create(options).status().code(), absl::StatusCode::kInvalidArgument);
  options.layers = {"nobody"};
  options.name = "other";
  EXPECT_EQ(sessions().Create(options).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(sessions().Living(), 1u);
}

TEST_P(LivesTest, ASessionThatEverybodyHasLeftIsNotFoundAlive) {
  SessionOptions options;
  options.layers = {"alpha"};
  options.name = "again";
  for (int turn = 0; turn < 3; ++turn) {
    const absl::StatusOr<SessionInfo> session = sessions().Create(options);
    ASSERT_TRUE(session.ok()) << session.status();
    const Attached keeper = served_.Attach(wire::FdOp::kAttach, session->number);
    ASSERT_EQ(keeper.reply.error, 0);
  }
  sessions().Settle();
  EXPECT_EQ(sessions().Living(), 0u);
  const absl::StatusOr<SessionInfo> kept = sessions().Create(options);
  ASSERT_TRUE(kept.ok());
  const Attached keeper = served_.Attach(wire::FdOp::kAttach, kept->number);
  sessions().Settle();
  EXPECT_EQ(sessions().List().size(), 1u);
}

// What a hostile guest can reach, all at once; the sequence comes from the seed.
class Vandal {
 public:
  Vandal(const GuestMemory& memory, uint64_t seed) : memory_(memory), random_(seed) {}

  void Strike() {
    switch (random_() % 8) {
      case 0:  // anything, anywhere in the groups
        Word(random_() % (wire::kGroups * wire::kPageSize / 8)).StoreRelaxed(random_());
        break;
      case 1:  // a call that looks held, with anything in it
      case 2: {
        const uint32_t slot = Slot();
        wire::RequestSlot& line = memory_.Slot(slot);
        line.run.owner.Release(wire::Owner(static_cast<uint32_t>(random_()), static_cast<uint32_t>(random_() % 20)));
        line.run.thread.StoreRelaxed(static_cast<uint32_t>(random_() % 20));
        line.call.nr.StoreRelaxed(static_cast<uint32_t>(random_() % 450));
        line.call.epoch.StoreRelaxed(static_cast<uint32_t>(random_() % 3));
        for (auto& arg : line.call.args) arg.StoreRelaxed(random_() >> (random_() % 64));
        for (auto& copy : line.run.copies) copy.StoreRelaxed(static_cast<uint16_t>(random_() >> (48 + random_() % 16)));
        memset(memory_.Inbound(slot), static_cast<int>(random_() % 3), wire::kPayloadSize);
        line.call.sequence.Release(random_() % 5 == 0 ? random_() : line.call.sequence.Relaxed() + 1);
        Post(slot);
        break;
      }
      case 3: {  // a step's result
        const uint32_t slot = Slot();
        const uint64_t answer = memory_.Line(slot).answer.Acquire();
        memory_.Slot(slot).run.done.Release(random_() % 4 == 0 ? random_() : answer);
        Post(slot);
        break;
      }
      case 4: {  // states
        wire::RunLine& run = memory_.Slot(Slot()).run;
        run.state.Release(wire::StateWord(run.owner.Relaxed(), static_cast<wire::SlotState>(random_() % 4)));
        break;
      }
      case 5: {  // records
        const uint32_t index = static_cast<uint32_t>(random_() % 20);
        memory_.Process(index).owner.Release(wire::Owner(static_cast<uint32_t>(random_()), 0));
        memory_.Process(index).pid.Release(static_cast<uint32_t>(random_() % 100000));
        memory_.Process(index).taken_at.StoreRelaxed(random_());
        memory_.Process(index).parent.StoreRelaxed(static_cast<uint32_t>(random_() % 25));
        memory_.Thread(index).owner.Release(
            wire::Owner(static_cast<uint32_t>(random_()), static_cast<uint32_t>(random_() % 25)));
        memory_.Thread(index).in_gate.StoreRelaxed(static_cast<uint32_t>(random_() % 5));
        break;
      }
      case 6:
        memory_.Group(0).root.header.groups_used.Release(static_cast<uint32_t>(random_() >> (random_() % 64)));
        break;
      case 7:
        memory_.Group(static_cast<uint32_t>(random_() % wire::kGroups)).header.posts.Release(random_());
        Ring();
        break;
    }
  }

 private:
  uint32_t Slot() { return static_cast<uint32_t>(random_() % 4 == 0 ? random_() % wire::kSlots : random_() % 16); }
  wire::Cell<uint64_t>& Word(uint64_t index) {
    return reinterpret_cast<wire::Cell<uint64_t>*>(memory_.request())[index];
  }
  void Post(uint32_t slot) {
    memory_.Group(slot / wire::kSlotsPerGroup).header.posts.Add(uint64_t{1} << (8 * (slot % wire::kSlotsPerGroup)));
    Ring();
  }
  void Ring() {
    for (wire::Bell& bell : memory_.Group(0).root.bells) {
      bell.rung.Add(1);
      FutexWakeAll(bell.rung.Address());
    }
  }

  const GuestMemory& memory_;
  std::mt19937_64 random_;
};

TEST_P(LivesTest, AHostileSessionHarmsNobodyElse) {
  constexpr int kStrikes = 30000;
  Served::Kept hostile = served_.Keep({"alpha"});
  Served::Kept sound = served_.Keep({"beta", "alpha"});
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::atomic<bool> stop = false;
  std::thread vandal([&] {
    Vandal v(*hostile.memory, seed);
    for (int i = 0; i < kStrikes; ++i) v.Strike();
    stop = true;
  });
  TestProcess process(*sound.memory);
  TestThread thread(*sound.memory, process);
  thread.set_native([](uint32_t, const uint64_t(&)[6]) { return uint64_t{4}; });
  uint64_t calls = 0;
  do {
    ASSERT_EQ(thread.Call(SYS_geteuid).value, kBeta);
    ASSERT_EQ(thread.Call(SYS_getegid).value, 8u);
    ASSERT_EQ(thread.Call(SYS_chdir, {"/a/path"}).value, 7u);
    calls += 3;
    if (calls % 300 == 0) {
      ASSERT_TRUE(sessions().Get(hostile.info.id).ok());
      ASSERT_TRUE(sessions().PublishStack(hostile.info.id, {"alpha"}).ok());
    }
  } while (!stop.load());
  vandal.join();
  EXPECT_EQ(sessions().Get(sound.info.id)->totals.calls[2][1], calls);
}

TEST_P(LivesTest, ASessionThatScribblesOnItsDoorbellsDelaysNobodyElse) {
  Served::Kept loud = served_.Keep({"alpha"});
  Served::Kept sound = served_.Keep({"beta"});
  std::atomic<bool> stop = false;
  std::vector<std::thread> scribblers;
  for (int i = 0; i < 2; ++i) {
    scribblers.emplace_back([&] {
      // A call that stays posted and is answered anew each time, and all bells without an end.
      const GuestMemory& memory = *loud.memory;
      TestProcess process(memory);
      TestThread thread(memory, process);
      const uint32_t slot = thread.Take();
      while (!stop.load()) {
        thread.Post(slot, SYS_geteuid);
        for (wire::Bell& bell : memory.Group(0).root.bells) bell.rung.Add(1);
        memory.Group(0).header.posts.Add(0x0101010101010101);
      }
    });
  }
  TestProcess process(*sound.memory);
  TestThread thread(*sound.memory, process);
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(thread.Call(SYS_geteuid).value, kBeta);
  stop = true;
  for (std::thread& scribbler : scribblers) scribbler.join();
}

INSTANTIATE_TEST_SUITE_P(Ways, LivesTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "IoUring" : "FutexAndEpoll"; });

}  // namespace
}  // namespace guise::server
