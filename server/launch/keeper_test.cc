#include "server/launch/keeper.h"

#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/panic.h"
#include "server/launch/fake_server.h"
#include "server/launch/fd_socket.h"

namespace guise::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Keeper Join(const FakeServer& server, wire::FdOp op = wire::FdOp::kAttach) {
  absl::StatusOr<Attachment> attachment = AttachToSession(server.path(), op, FakeServer::kSession);
  EXPECT_TRUE(attachment.ok()) << attachment.status();
  absl::StatusOr<Keeper> keeper = Keeper::Start(*std::move(attachment));
  EXPECT_TRUE(keeper.ok()) << keeper.status();
  return *std::move(keeper);
}

// A child that sleeps until it is killed.
pid_t Sleeper() {
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) pause();
  }
  return child;
}

void End(pid_t child) {
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
}

// A guest in slot `slot` that waits for an answer, as long as the server lives; exits with 0 when it learns of its
// death.
pid_t WaitingGuest(const FakeServer& server, uint32_t slot) {
  server.request().slots[slot].run.owner.Release(wire::Owner(1, slot));
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const auto* word = reinterpret_cast<const uint32_t*>(server.reply().lines[slot].answer.Address());
  while (server.reply().keeper.server_alive.Acquire() != 0)
    syscall(SYS_futex, word, FUTEX_WAIT, 0, nullptr, nullptr, 0);
  _exit(0);
}

TEST(KeeperTest, AnnouncesTheServerWithANewGeneration) {
  FakeServer server;
  server.reply().keeper.generation.Release(4);
  const Keeper keeper = Join(server);
  EXPECT_EQ(server.reply().keeper.server_alive.Acquire(), 1u);
  EXPECT_EQ(server.reply().keeper.generation.Acquire(), 5u);
  EXPECT_EQ(keeper.Verdict(), Keeper::Server::kServes);
}

TEST(KeeperTest, AWatcherWritesNothing) {
  FakeServer server;
  Keeper watcher = Join(server, wire::FdOp::kGuest);
  EXPECT_FALSE(watcher.keeps());
  EXPECT_EQ(server.reply().keeper.generation.Acquire(), 0u);
  server.reply().keeper.server_alive.Release(1);
  server.Kill();
  watcher.Check();
  EXPECT_EQ(watcher.Verdict(), Keeper::Server::kDied);
  EXPECT_EQ(server.reply().keeper.server_alive.Acquire(), 1u);
}

TEST(KeeperTest, WakesEveryWaitingGuestWhenTheServerIsKilled) {
  FakeServer server;
  Keeper keeper = Join(server);
  const pid_t guests[] = {WaitingGuest(server, 0), WaitingGuest(server, 3), WaitingGuest(server, 7)};
  keeper.Check();
  EXPECT_EQ(keeper.Verdict(), Keeper::Server::kServes);
  EXPECT_EQ(keeper.PollTimeout(), -1);
  server.Kill();
  pollfd fds[Keeper::kPollFds];
  keeper.FillPoll(fds);
  EXPECT_GT(poll(fds, Keeper::kPollFds, -1), 0);
  keeper.Check();
  EXPECT_EQ(keeper.Verdict(), Keeper::Server::kDied);
  EXPECT_STREQ(keeper.LossPolicyInWords(), "they fail with EIO");
  // A guest that looked just before may go to sleep after the wake; the keeper goes on waking.
  for (const pid_t guest : guests) {
    int status = -1;
    while (waitpid(guest, &status, WNOHANG) == 0) {
      ASSERT_GT(keeper.PollTimeout(), 0);
      keeper.FillPoll(fds);
      poll(fds, Keeper::kPollFds, keeper.PollTimeout());
      keeper.Check();
    }
    EXPECT_EQ(status, 0);
  }
}

TEST(KeeperTest, DoesNotTouchSlotsThatTheServerTookBack) {
  FakeServer server;
  const Keeper keeper = Join(server);
  server.request().slots[2].run.owner.Release(wire::Owner(5, 1));
  server.reply().reclaimed_slots[2].Release(wire::Owner(5, 1));
  server.request().root.header.groups_used.Release(UINT32_MAX);  // a guest's lie
  keeper.memory().WakeWaitingGuests();                           // bounded: it returns
}

TEST(KeeperTest, FindsTheGuestsThatLive) {
  FakeServer server;
  const Keeper keeper = Join(server);
  EXPECT_EQ(keeper.memory().AnyLivingGuest(0), 0);
  const pid_t guest = Sleeper();
  server.NoteGuest(5, guest);
  EXPECT_EQ(keeper.memory().AnyLivingGuest(0), guest);
  EXPECT_EQ(keeper.memory().AnyLivingGuest(guest), 0);
  kill(guest, SIGKILL);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(guest), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(keeper.memory().AnyLivingGuest(0), 0) << "a zombie is no guest";
  End(guest);
  EXPECT_EQ(keeper.memory().AnyLivingGuest(0), 0);
}

TEST(KeeperTest, AProcessThatStartedAfterTheRecordIsAStranger) {
  const pid_t child = Sleeper();
  EXPECT_TRUE(GuestLives(child, UINT64_MAX));
  EXPECT_FALSE(GuestLives(child, 1));
  EXPECT_FALSE(GuestLives(0, UINT64_MAX));
  EXPECT_FALSE(GuestLives(-1, UINT64_MAX));
  End(child);
}

TEST(KeeperTest, TheCopyLeftBehindWatchesUntilTheLastGuestEnds) {
  FakeServer server;
  const pid_t guest = Sleeper();
  server.NoteGuest(0, guest);
  // The copy becomes a child of this process when its launcher has gone.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const pid_t launcher = fork();
  if (launcher == 0) {
    Keeper keeper = Join(server);
    _exit(keeper.LeaveCopy() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(launcher, &status, 0), launcher);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(server.reply().keeper.server_alive.Acquire(), 1u);
  server.Kill();
  while (server.reply().keeper.server_alive.Acquire() != 0) {
    syscall(SYS_futex, server.reply().keeper.server_alive.Address(), FUTEX_WAIT, 1, nullptr, nullptr, 0);
  }
  End(guest);
  const pid_t copy = waitpid(-1, &status, 0);
  EXPECT_GT(copy, 0);
  EXPECT_EQ(status, 0);
}

TEST(KeeperTest, TellsPanicsWithoutTheirControlCharacters) {
  FakeServer server;
  const Keeper keeper = Join(server);
  EXPECT_TRUE(keeper.memory().Panics(keeper.panics_at_start()).empty());
  auto* record = static_cast<wire::PanicRecord*>(server.panics());
  record->pid = 7;
  record->tid = 8;
  record->error = static_cast<uint64_t>(-2);
  strcpy(record->text, "cannot map \x1b[31m/x");  // NOLINT: fits
  record->kind.Release(static_cast<uint32_t>(wire::PanicKind::kLoader));
  server.request().root.totals.panics.Release(1);
  EXPECT_THAT(keeper.memory().Panics(keeper.panics_at_start()),
              ElementsAre("process 7, thread 8: a program could not be loaded: cannot map ?[31m/x (error -2)"));
  record->kind.Release(99);  // guests' lies
  EXPECT_TRUE(keeper.memory().Panics(keeper.panics_at_start()).empty());
  server.request().root.totals.panics.Release(UINT64_MAX);
  EXPECT_LE(keeper.memory().Panics(0).size(), wire::kPanics);
}

TEST(KeeperTest, RefusesAServerOfAnotherAbi) {
  FakeServer server;
  server.reply().header.abi_min = wire::kAbiMax + 1;
  server.reply().header.abi_max = wire::kAbiMax + 3;
  absl::StatusOr<Attachment> attachment = AttachToSession(server.path(), wire::FdOp::kAttach, FakeServer::kSession);
  ASSERT_TRUE(attachment.ok());
  const absl::Status status = Keeper::Start(*std::move(attachment)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("speaks ABI ", wire::kAbiMax + 1, " to ", wire::kAbiMax + 3)));
}

}  // namespace
}  // namespace guise::server
