// Sessions end when they should, and whoever has seen that does not find them alive.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "server/session/testing/child.h"
#include "server/session/testing/personalities.h"
#include "server/session/testing/served_test.h"

namespace guise::server {
namespace {

using testing::Attached;
using testing::Child;
using testing::GuestMemory;
using testing::kAlpha;
using testing::Served;
using testing::ServedTest;
using testing::TestProcess;
using testing::TestThread;

class EndsTest : public ServedTest {};

TEST_P(EndsTest, ASessionEndsWhenItsKeeperHasGoneAndNoGuestLives) {
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

TEST_P(EndsTest, AConnectionForOneMoreGuestKeepsTheSession) {
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

TEST_P(EndsTest, ASessionThatNobodyJoinsEnds) {
  Served served({.allow_io_uring = GetParam(), .join_within = absl::Milliseconds(30)});
  SessionOptions options;
  options.layers = {"linux"};
  const absl::StatusOr<SessionInfo> info = served.sessions().Create(options);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->state, SessionState::kStarting);
  EXPECT_TRUE(served.sessions().Wait(info->id, absl::InfiniteFuture()).ok());
}

TEST_P(EndsTest, StopKillsWhoDoesNotListenAndTellsTheKeeper) {
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

TEST_P(EndsTest, StopSignalsNoStrangerThatARecordNames) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  // A stranger: it has given up what it inherited by fork.
  Child stranger([&] {
    munmap(memory.request(), wire::kRequestSize);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    execlp("sleep", "sleep", "1000", nullptr);
  });
  stranger.AwaitExec();
  TestProcess process(memory, 0, 0, stranger.pid());
  TestThread thread(memory, process);
  memory.Process(process.record()).taken_at.StoreRelaxed(~uint64_t{0});
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);
  EXPECT_FALSE(sessions().IsGuest(stranger.pid()));
  const absl::StatusOr<uint32_t> stopped = sessions().Stop(kept.info.id, SIGKILL, absl::ZeroDuration());
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(*stopped, 0u);
  EXPECT_EQ(kill(stranger.pid(), 0), 0);
  EXPECT_EQ(waitpid(stranger.pid(), nullptr, WNOHANG), 0);
}

TEST_P(EndsTest, NamesAreUniqueAmongTheLiving) {
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

TEST_P(EndsTest, ASessionThatEverybodyHasLeftIsNotFoundAlive) {
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

INSTANTIATE_BOTH_WAYS(EndsTest);

}  // namespace
}  // namespace guise::server
