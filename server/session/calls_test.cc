// Calls through the whole server: conversations, many threads, many sessions, epochs.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "server/session/testing/personalities.h"
#include "server/session/testing/served_test.h"

namespace guise::server {
namespace {

using testing::kAlpha;
using testing::kBeta;
using testing::Served;
using testing::ServedTest;
using testing::TestProcess;
using testing::TestThread;
using wire::Verb;

uint64_t Failed(int error) { return static_cast<uint64_t>(int64_t{-error}); }

class CallsTest : public ServedTest {};

TEST_P(CallsTest, SaysHowItWaits) {
  EXPECT_EQ(served_.sessions().Waiting(), GetParam() ? "io_uring futex" : "futex");
  EXPECT_EQ(served_.reactor().Kind(), GetParam() ? "io_uring" : "epoll");
}

TEST_P(CallsTest, AnswersAtOnce) {
  Served::Kept kept = served_.Keep({"alpha"});
  TestProcess process(*kept.memory);
  TestThread thread(*kept.memory, process);
  for (int i = 0; i < 100; ++i) {
    const TestThread::Result result = thread.Call(SYS_geteuid);
    EXPECT_EQ(result.verb, Verb::kReturn);
    EXPECT_EQ(result.value, kAlpha);
    EXPECT_EQ(result.runs, 0);
  }
}

TEST_P(CallsTest, RunsOnTheGuestsThreadAndGoesOnWithItsResults) {
  Served::Kept kept = served_.Keep({"alpha"});
  TestProcess process(*kept.memory);
  TestThread thread(*kept.memory, process);
  uint64_t next = 100;
  thread.set_native([&](uint32_t nr, const uint64_t(&)[6]) {
    EXPECT_EQ(nr, static_cast<uint32_t>(SYS_getppid));
    return next++;
  });
  const TestThread::Result result = thread.Call(SYS_getegid);
  EXPECT_EQ(result.verb, Verb::kReturn);
  EXPECT_EQ(result.runs, 2);
  EXPECT_EQ(result.value, 201u);
}

TEST_P(CallsTest, TailsWhatNobodyClaims) {
  Served::Kept kept = served_.Keep({"alpha"});
  TestProcess process(*kept.memory);
  TestThread thread(*kept.memory, process);
  for (const long nr : {SYS_getppid /* a handler's tail */, SYS_getpid /* unclaimed */}) {
    uint32_t asked = 0;
    thread.set_native([&](uint32_t number, const uint64_t(&)[6]) {
      asked = number;
      return uint64_t{77};
    });
    const TestThread::Result result = thread.Call(static_cast<uint32_t>(nr));
    EXPECT_EQ(result.verb, Verb::kTail);
    EXPECT_EQ(asked, static_cast<uint32_t>(nr));
    EXPECT_EQ(result.value, 77u);
  }
}

TEST_P(CallsTest, SeesPathsAndRunResultsAndCopiesOut) {
  Served::Kept kept = served_.Keep({"alpha"});
  TestProcess process(*kept.memory);
  TestThread thread(*kept.memory, process);
  EXPECT_EQ(thread.Call(SYS_chdir, {"/some/where"}).value, strlen("/some/where"));
  EXPECT_EQ(thread.Call(SYS_chdir, {std::string(4095, 'x').c_str()}).value, 4095u);
  EXPECT_EQ(thread.Call(SYS_chdir, {uint64_t{0}}).value, Failed(EFAULT));

  timespec before = {};
  clock_gettime(CLOCK_MONOTONIC, &before);
  const TestThread::Result result = thread.Call(SYS_uname, {uint64_t{1}});
  EXPECT_EQ(result.value, 0u);
  ASSERT_EQ(result.copied_out.size(), 1u);
  int64_t seconds = 0;
  ASSERT_EQ(result.copied_out[0].size(), sizeof(seconds));
  memcpy(&seconds, result.copied_out[0].data(), sizeof(seconds));
  EXPECT_GE(seconds, before.tv_sec);
  EXPECT_LE(seconds, before.tv_sec + 3600);
}

TEST_P(CallsTest, EndsAConversationThatIsTooLong) {
  Served::Kept kept = served_.Keep({"alpha"});
  TestProcess process(*kept.memory);
  TestThread thread(*kept.memory, process);
  const TestThread::Result result = thread.Call(SYS_getpgrp);
  EXPECT_EQ(result.verb, Verb::kReturn);
  EXPECT_EQ(result.value, Failed(EIO));
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);
}

TEST_P(CallsTest, ServesThreadsWithoutRecords) {
  Served::Kept kept = served_.Keep({"alpha"});
  TestProcess process(*kept.memory);
  TestThread thread(*kept.memory, process);
  const uint32_t slot = thread.Take();
  const uint64_t sequence = thread.Write(slot, SYS_geteuid);
  kept.memory->Slot(slot).run.thread.StoreRelaxed(0xffffffff);
  thread.Ring(slot);
  thread.Await(slot, wire::Key(sequence, 1));
  EXPECT_EQ(kept.memory->Line(slot).args[0].Relaxed(), kAlpha);
}

TEST_P(CallsTest, AnswersEightThreadsEachWithItsOwn) {
  constexpr int kThreads = 8;
  constexpr int kCalls = 1500;
  Served::Kept kept = served_.Keep({"alpha"});
  TestProcess process(*kept.memory);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      TestThread thread(*kept.memory, process);
      uint64_t own = 0;
      thread.set_native([&](uint32_t, const uint64_t(&)[6]) { return own; });
      int wrong = 0;
      for (int i = 0; i < kCalls; ++i) {
        own = static_cast<uint64_t>(t) * kCalls + static_cast<uint64_t>(i);
        const std::string path(1 + own % 300, 'p');
        wrong += thread.Call(SYS_geteuid).value != kAlpha;
        wrong += thread.Call(SYS_getegid).value != 2 * own;
        wrong += thread.Call(SYS_chdir, {path.c_str()}).value != path.size();
      }
      EXPECT_EQ(wrong, 0);
      if (t % 2 == 0) thread.GiveBack();
    });
  }
  for (std::thread& thread : threads) thread.join();
  const absl::StatusOr<SessionInfo> info = served_.sessions().Get(kept.info.id);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->totals.calls[2][1], uint64_t{kThreads} * kCalls * 3);
  EXPECT_EQ(info->heap_frames, 0u);
  EXPECT_EQ(info->panics, 0u);
  ASSERT_EQ(info->guests.size(), 1u);
  EXPECT_EQ(info->guests[0].pid, getpid());
  EXPECT_EQ(info->guests[0].comm, "guest");
}

TEST_P(CallsTest, SessionsWithDifferentStacksLiveSideBySide) {
  Served::Kept first = served_.Keep({"alpha"});
  Served::Kept second = served_.Keep({"beta"});
  Served::Kept both = served_.Keep({"beta", "alpha"});
  Served::Kept none = served_.Keep({"linux"});
  struct Case {
    Served::Kept& kept;
    uint64_t uid;
  };
  for (const Case& c : {Case{first, kAlpha}, Case{second, kBeta}, Case{both, kBeta}}) {
    TestProcess process(*c.kept.memory);
    TestThread thread(*c.kept.memory, process);
    EXPECT_EQ(thread.Call(SYS_geteuid).value, c.uid);
  }
  TestProcess process(*none.memory);
  TestThread thread(*none.memory, process);
  EXPECT_EQ(thread.Call(SYS_geteuid).verb, Verb::kTail);
  EXPECT_EQ(served_.sessions().List().size(), 4u);
}

TEST_P(CallsTest, PublishesWhatTheStackSays) {
  Served::Kept kept = served_.Keep({"alpha"});
  const testing::GuestMemory& memory = *kept.memory;
  const auto placement = [&](long nr) { return wire::Placement{memory.Reply(0).placement[nr].Relaxed()}; };
  EXPECT_EQ(memory.Page().sequence.Acquire() % 2, 0u);
  EXPECT_EQ(memory.Page().epoch.Relaxed(), 1u);
  EXPECT_GE(memory.Page().bells_in_use.Relaxed(), 1u);
  EXPECT_EQ(placement(SYS_geteuid), wire::Placement::kServer);
  EXPECT_EQ(placement(SYS_acct), wire::Placement::kShim);
  EXPECT_EQ(placement(SYS_getpid), wire::Placement::kKernel);

  const auto* actions =
      reinterpret_cast<const wire::Action*>(reinterpret_cast<const char*>(&memory.Reply(0)) + wire::kActionsOffset);
  const wire::Action& deny = actions[memory.Reply(0).action[SYS_acct].Relaxed()];
  EXPECT_EQ(wire::ActionVerb{deny.verb.Relaxed()}, wire::ActionVerb::kDeny);
  EXPECT_EQ(deny.value.Relaxed(), -EPERM);

  absl::StatusOr<uint32_t> epoch =
      served_.sessions().Place(kept.info.id, {{.syscall = "getpid", .placement = wire::Placement::kServer}});
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  EXPECT_EQ(*epoch, 2u);
  EXPECT_EQ(memory.Page().epoch.Acquire(), 2u);
  EXPECT_EQ(placement(SYS_getpid), wire::Placement::kServer);
  epoch = served_.sessions().Place(kept.info.id, {{.syscall = "all", .placement = std::nullopt}});
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  EXPECT_EQ(placement(SYS_getpid), wire::Placement::kKernel);
}

TEST_P(CallsTest, ACallIsServedByTheEpochThatItNames) {
  Served::Kept kept = served_.Keep({"alpha"});
  TestProcess process(*kept.memory);
  TestThread thread(*kept.memory, process);
  wire::ThreadRecord& record = kept.memory->Thread(thread.record());
  record.in_gate.Release(1);  // between the placement test and the post

  ASSERT_TRUE(served_.sessions().PublishStack(kept.info.id, {"beta"}).ok());
  thread.set_epoch(1);
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);
  thread.set_epoch(0);
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kBeta);

  // Once nobody can be under the first epoch any more, it is retired at the next publication.
  record.in_gate.Release(0);
  ASSERT_TRUE(served_.sessions().PublishStack(kept.info.id, {"beta"}).ok());
  thread.set_epoch(1);
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kBeta);
}

TEST_P(CallsTest, DrainWaitsForThreadsAndSlotsOfEarlierEpochs) {
  Served::Kept kept = served_.Keep({"alpha"});
  Sessions& sessions = served_.sessions();
  const std::string& id = kept.info.id;
  TestProcess process(*kept.memory);
  TestThread thread(*kept.memory, process);
  wire::ThreadRecord& record = kept.memory->Thread(thread.record());
  const auto drained = [&] { return sessions.Drain(id, 0, absl::Now() + absl::Milliseconds(20)).status().code(); };
  using absl::StatusCode;

  EXPECT_EQ(drained(), StatusCode::kOk);
  record.in_gate.Release(1);
  ASSERT_TRUE(sessions.PublishStack(id, {"beta"}).ok());
  EXPECT_EQ(drained(), StatusCode::kDeadlineExceeded);
  record.in_gate.Release(0);
  EXPECT_EQ(drained(), StatusCode::kOk);

  // A posted call that nobody has looked at.
  const uint32_t slot = thread.Take();
  uint64_t sequence = thread.Write(slot, SYS_getegid);
  ASSERT_TRUE(sessions.PublishStack(id, {"alpha"}).ok());
  EXPECT_EQ(drained(), StatusCode::kDeadlineExceeded);
  thread.Ring(slot);
  thread.Await(slot, wire::Key(sequence, 1));
  EXPECT_EQ(drained(), StatusCode::kOk);  // beta does not claim it: a tail

  // A Run that the guest has not begun, then one that it has: that one may block, and is excepted.
  sequence = thread.Post(slot, SYS_getegid);
  thread.Await(slot, wire::Key(sequence, 1));
  ASSERT_TRUE(sessions.PublishStack(id, {"beta"}).ok());
  EXPECT_EQ(drained(), StatusCode::kDeadlineExceeded);
  kept.memory->Slot(slot).run.begun.Release(wire::Key(sequence, 1));
  EXPECT_EQ(drained(), StatusCode::kOk);
  // It goes on under its own epoch.
  kept.memory->Slot(slot).run.done.Release(wire::Key(sequence, 1));
  thread.Ring(slot);
  thread.Await(slot, wire::Key(sequence, 2));
  EXPECT_EQ(Verb{kept.memory->Line(slot).verb.Relaxed()}, Verb::kRun);

  EXPECT_EQ(sessions.Drain(id, 1000, absl::InfiniteFuture()).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(sessions.PublishStack(id, {"nobody"}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(sessions.PublishStack("nowhere", {"beta"}).status().code(), StatusCode::kNotFound);
}

TEST_P(CallsTest, EveryCallOfAThreadSeesOneOfTheStacksWhileTheySwitch) {
  Served::Kept kept = served_.Keep({"alpha"});
  TestProcess process(*kept.memory);
  constexpr int kSwitches = 100;
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> made = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      TestThread thread(*kept.memory, process);
      int wrong = 0;
      while (!stop.load()) {
        const uint64_t value = thread.Call(SYS_geteuid).value;
        wrong += value != kAlpha && value != kBeta;
        ++made;
      }
      EXPECT_EQ(wrong, 0);
    });
  }
  TestThread own(*kept.memory, process);
  for (int i = 0; i < kSwitches; ++i) {
    const bool to_beta = i % 2 == 0;
    const absl::StatusOr<uint32_t> epoch =
        served_.sessions().PublishStack(kept.info.id, {to_beta ? "beta" : "alpha"}, absl::Now() + absl::Minutes(1));
    ASSERT_TRUE(epoch.ok()) << epoch.status();
    EXPECT_EQ(*epoch, static_cast<uint32_t>(i) + 2);
    EXPECT_EQ(own.Call(SYS_geteuid).value, to_beta ? kBeta : kAlpha);
    ++made;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const absl::StatusOr<SessionInfo> info = served_.sessions().Get(kept.info.id);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->totals.calls[2][0] + info->totals.calls[2][1], made.load());
  EXPECT_EQ(info->epoch, kSwitches + 1u);
}

INSTANTIATE_BOTH_WAYS(CallsTest);

}  // namespace
}  // namespace guise::server
