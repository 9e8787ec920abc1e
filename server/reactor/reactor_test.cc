#include "server/reactor/reactor.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

class ReactorTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<Reactor>> reactor = Reactor::Create({.allow_io_uring = GetParam()});
    ASSERT_TRUE(reactor.ok()) << reactor.status();
    reactor_ = *std::move(reactor);
    if (GetParam() && reactor_->Kind() != "io_uring") GTEST_SKIP() << "this machine refuses io_uring";
    thread_ = std::thread([this] { reactor_->Run(); });
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    near_ = OwnedFd(fds[0]);
    far_ = OwnedFd(fds[1]);
  }
  void TearDown() override {
    reactor_->Stop();
    if (thread_.joinable()) thread_.join();
  }
  // Returns when everything posted before has run.
  void Settle() {
    absl::Notification settled;
    reactor_->Post([&] { settled.Notify(); });
    settled.WaitForNotification();
  }

  std::unique_ptr<Reactor> reactor_;
  std::thread thread_;
  OwnedFd near_;
  OwnedFd far_;
};

TEST_P(ReactorTest, NamesItsKind) { EXPECT_EQ(reactor_->Kind(), GetParam() ? "io_uring" : "epoll"); }

TEST_P(ReactorTest, CallsAgainWhileAnFdIsReadable) {
  // Three messages wait, and each callback takes one.
  for (int i = 0; i < 3; ++i) ASSERT_EQ(send(far_.get(), "x", 1, 0), 1);
  absl::Notification all;
  int taken = 0;
  reactor_->Watch(near_.get(), [&] {
    char byte = 0;
    ASSERT_EQ(recv(near_.get(), &byte, 1, 0), 1);
    if (++taken == 3) all.Notify();
  });
  all.WaitForNotification();
  reactor_->Unwatch(near_.get());
  Settle();
  EXPECT_EQ(taken, 3);
}

TEST_P(ReactorTest, ReportsAPeerThatHasGone) {
  absl::Notification gone;
  reactor_->Watch(near_.get(), [&] {
    char byte = 0;
    EXPECT_EQ(recv(near_.get(), &byte, 1, 0), 0);
    reactor_->Unwatch(near_.get());
    gone.Notify();
  });
  far_ = OwnedFd();
  gone.WaitForNotification();
}

TEST_P(ReactorTest, DoesNotCallAfterUnwatchOnItsThread) {
  absl::Notification first;
  int calls = 0;
  reactor_->Watch(near_.get(), [&] {
    ++calls;
    reactor_->Unwatch(near_.get());  // and leaves the message there
    first.Notify();
  });
  ASSERT_EQ(send(far_.get(), "x", 1, 0), 1);
  first.WaitForNotification();
  Settle();
  Settle();
  EXPECT_EQ(calls, 1);
}

TEST_P(ReactorTest, TellsFilesApartThatHadTheSameNumber) {
  absl::Notification first;
  reactor_->Watch(near_.get(), [&] { ADD_FAILURE() << "the closed file's callback was called"; });
  reactor_->Unwatch(near_.get());
  Settle();
  const int number = near_.get();
  near_ = OwnedFd();
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  OwnedFd other(fds[1]);
  OwnedFd again(fds[0]);
  ASSERT_EQ(again.get(), number);
  reactor_->Watch(again.get(), [&] {
    reactor_->Unwatch(again.get());
    first.Notify();
  });
  ASSERT_EQ(send(other.get(), "x", 1, 0), 1);
  first.WaitForNotification();
}

TEST_P(ReactorTest, WaitsForAProcess) {
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    [[maybe_unused]] const ssize_t got = recv(far_.get(), &byte, 1, MSG_WAITALL);
    pause();
    _exit(0);
  }
  OwnedFd pidfd(static_cast<int>(syscall(434 /* pidfd_open */, child, 0)));
  ASSERT_TRUE(pidfd);
  absl::Notification dead;
  reactor_->Watch(pidfd.get(), [&] {
    reactor_->Unwatch(pidfd.get());
    dead.Notify();
  });
  Settle();
  EXPECT_FALSE(dead.HasBeenNotified());
  kill(child, SIGKILL);
  dead.WaitForNotification();
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST_P(ReactorTest, FiresTimersInOrderAndOnce) {
  absl::Notification all;
  std::vector<int> fired;
  Reactor::TimerId late = 0;
  reactor_->Post([&] {
    // Set first, due long after the others; of those, the later one is also set later, whatever comes in between.
    late = reactor_->After(absl::Hours(1), [&] { fired.push_back(4); });
    reactor_->After(absl::ZeroDuration(), [&] { fired.push_back(1); });
    reactor_->After(absl::Milliseconds(1), [&] { fired.push_back(2); });
    reactor_->After(absl::Milliseconds(2), [&] {
      fired.push_back(3);
      all.Notify();
    });
  });
  all.WaitForNotification();
  Settle();
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
  reactor_->Cancel(late);
}

TEST_P(ReactorTest, ATimerSetFromAnotherThreadWakesASleepingReactor) {
  Settle();
  absl::Notification fired;
  reactor_->After(absl::Milliseconds(1), [&] { fired.Notify(); });
  fired.WaitForNotification();
}

TEST_P(ReactorTest, ACancelledTimerStaysSilent) {
  absl::Notification later;
  reactor_->Post([&] {
    const Reactor::TimerId timer = reactor_->After(absl::Milliseconds(1), [] { ADD_FAILURE() << "was cancelled"; });
    reactor_->After(absl::Milliseconds(5), [&] { later.Notify(); });
    reactor_->Cancel(timer);
  });
  later.WaitForNotification();
}

TEST_P(ReactorTest, RunsErrandsOfManyThreadsOnItsOwn) {
  constexpr int kThreads = 4;
  constexpr int kErrands = 500;
  std::vector<std::thread> posters;
  int ran = 0;  // the reactor's thread alone writes it
  absl::Notification all;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < kErrands; ++i) {
        reactor_->Post([&] {
          EXPECT_TRUE(reactor_->OnReactorThread());
          if (++ran == kThreads * kErrands) all.Notify();
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  all.WaitForNotification();
  EXPECT_FALSE(reactor_->OnReactorThread());
}

INSTANTIATE_TEST_SUITE_P(Kinds, ReactorTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "IoUring" : "Epoll"; });

}  // namespace
}  // namespace guise::server
