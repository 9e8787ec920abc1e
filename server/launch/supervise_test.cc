#include "server/launch/supervise.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/launch/fake_server.h"
#include "server/launch/fd_socket.h"
#include "server/launch/keeper.h"
#include "server/launch/signal_state.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

constexpr int kReporterExit = 33;

// A guest that writes the number of each signal that it gets, and ends at SIGTERM.
int ReportSignals() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  dprintf(STDOUT_FILENO, "ready\n");
  for (;;) {
    const int number = sigwaitinfo(&all, nullptr);
    dprintf(STDOUT_FILENO, "%d\n", number);
    if (number == SIGTERM) return kReporterExit;
  }
}

// A launcher and its guest, a function. What both write comes through one pipe.
class SuperviseTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (launcher_ > 0) kill(launcher_, SIGKILL);
  }

  // `terminal`: the launcher's controlling terminal, or -1 for none.
  void Launch(const std::function<int()>& guest, int terminal = -1) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    output_ = OwnedFd(ends[0]);
    const OwnedFd write_end(ends[1]);
    launcher_ = fork();
    if (launcher_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (terminal >= 0) {
      // A shell in between, so that the launcher leads no session.
      setsid();
      ioctl(terminal, TIOCSCTTY, 0);
      const pid_t job = fork();
      if (job > 0) {
        int status = 0;
        signal(SIGINT, SIG_IGN);
        while (waitpid(job, &status, 0) != job) {
        }
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 200);
      }
    } else {
      setpgid(0, 0);
    }
    dup2(write_end.get(), STDOUT_FILENO);
    dup2(write_end.get(), STDERR_FILENO);
    _exit(Stand(guest));
  }

  int Stand(const std::function<int()>& guest) {
    const SignalState signals = SignalState::Capture();
    const absl::StatusOr<SignalInbox> inbox = SignalInbox::Open();
    absl::StatusOr<Attachment> attachment = AttachToSession(server_.path(), wire::FdOp::kAttach, FakeServer::kSession);
    if (!inbox.ok() || !attachment.ok()) return 201;
    absl::StatusOr<Keeper> keeper = Keeper::Start(*std::move(attachment));
    if (!keeper.ok()) return 202;
    const pid_t child = fork();
    if (child == 0) {
      signals.Restore();
      prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
      _exit(guest());
    }
    return Supervise(child, *inbox, &*keeper);
  }

  // The next line that launcher or guest writes; empty at the end.
  std::string ReadLine() {
    std::string line;
    for (char c = 0; read(output_.get(), &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }

  int ExitCode() {
    int status = 0;
    EXPECT_EQ(waitpid(launcher_, &status, 0), launcher_);
    launcher_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  FakeServer server_;
  OwnedFd output_;
  pid_t launcher_ = -1;
};

TEST_F(SuperviseTest, PassesTheExitCodeOn) {
  Launch([] { return 42; });
  EXPECT_EQ(ExitCode(), 42);
}

TEST_F(SuperviseTest, ASignalsDeathIs128AndItsNumber) {
  Launch([] { return kill(getpid(), SIGKILL); });
  EXPECT_EQ(ExitCode(), 128 + SIGKILL);
}

TEST_F(SuperviseTest, SendsOnWhatIsSentToItAlone) {
  Launch(ReportSignals);
  ASSERT_EQ(ReadLine(), "ready");
  for (const int number : {SIGHUP, SIGUSR1, SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGALRM, SIGRTMIN + 3, SIGTERM}) {
    kill(launcher_, number);
    EXPECT_EQ(ReadLine(), absl::StrCat(number));
  }
  EXPECT_EQ(ExitCode(), kReporterExit);
}

TEST_F(SuperviseTest, WhatTheGuestSendsToItsGroupItGetsOnce) {
  Launch([] {
    // Not to ourselves, so whatever arrives was sent on.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    kill(getppid(), SIGUSR1);
    dprintf(STDOUT_FILENO, "sent\n");
    return ReportSignals();
  });
  ASSERT_EQ(ReadLine(), "sent");
  ASSERT_EQ(ReadLine(), "ready");
  kill(launcher_, SIGUSR2);  // taken after the one before
  EXPECT_EQ(ReadLine(), absl::StrCat(SIGUSR2));
  kill(launcher_, SIGTERM);
  EXPECT_EQ(ReadLine(), absl::StrCat(SIGTERM));
  EXPECT_EQ(ExitCode(), kReporterExit);
}

TEST_F(SuperviseTest, WhatTheTerminalSendsTheGuestGetsOnce) {
  int controller = -1;
  int terminal = -1;
  ASSERT_EQ(openpty(&controller, &terminal, nullptr, nullptr, nullptr), 0);
  const OwnedFd closes_controller(controller);
  const OwnedFd closes_terminal(terminal);
  int pid_ends[2];
  ASSERT_EQ(pipe(pid_ends), 0);
  Launch(
      [&] {
        const pid_t launcher = getppid();
        if (write(pid_ends[1], &launcher, sizeof(launcher)) != sizeof(launcher)) return 203;
        return ReportSignals();
      },
      terminal);
  pid_t launcher = 0;
  ASSERT_EQ(read(pid_ends[0], &launcher, sizeof(launcher)), static_cast<ssize_t>(sizeof(launcher)));
  ASSERT_EQ(ReadLine(), "ready");
  ASSERT_EQ(write(controller, "\x03", 1), 1);
  EXPECT_EQ(ReadLine(), absl::StrCat(SIGINT));
  kill(launcher, SIGTERM);  // taken after the SIGINT, which would have been sent on before it
  EXPECT_EQ(ReadLine(), absl::StrCat(SIGTERM));
  EXPECT_EQ(ExitCode(), kReporterExit);
}

TEST_F(SuperviseTest, StopsWithTheGuestAndContinuesIt) {
  Launch([] {
    kill(getpid(), SIGSTOP);
    dprintf(STDOUT_FILENO, "on\n");
    return 5;
  });
  int status = 0;
  ASSERT_EQ(waitpid(launcher_, &status, WUNTRACED), launcher_);
  ASSERT_TRUE(WIFSTOPPED(status));
  EXPECT_EQ(WSTOPSIG(status), SIGSTOP);
  kill(launcher_, SIGCONT);
  EXPECT_EQ(ReadLine(), "on");
  EXPECT_EQ(ExitCode(), 5);
}

TEST_F(SuperviseTest, AStoppedGuestsEndIsTheLaunchersToo) {
  Launch([] {
    dprintf(STDOUT_FILENO, "%d\n", getpid());
    return kill(getpid(), SIGSTOP);
  });
  const pid_t guest = static_cast<pid_t>(std::stoi(ReadLine()));
  int status = 0;
  ASSERT_EQ(waitpid(launcher_, &status, WUNTRACED), launcher_);
  ASSERT_TRUE(WIFSTOPPED(status));
  // Nobody continues the launcher.
  ASSERT_EQ(kill(guest, SIGKILL), 0);
  EXPECT_EQ(ExitCode(), 128 + SIGKILL);
}

TEST_F(SuperviseTest, SaysOnceThatTheServerDied) {
  Launch(ReportSignals);
  ASSERT_EQ(ReadLine(), "ready");
  const pid_t server = server_.pid();
  server_.Kill();
  EXPECT_EQ(ReadLine(), absl::StrCat("guise: the server (pid ", server,
                                     ") died; calls now follow the session's policy: they fail with EIO"));
  kill(launcher_, SIGTERM);
  EXPECT_EQ(ReadLine(), absl::StrCat(SIGTERM));
  EXPECT_EQ(ReadLine(), "");
  EXPECT_EQ(ExitCode(), kReporterExit);
}

TEST_F(SuperviseTest, WaitsForItsGuestWhenSigchldWasIgnored) {
  signal(SIGCHLD, SIG_IGN);
  Launch([] { return 9; });
  signal(SIGCHLD, SIG_DFL);
  EXPECT_EQ(ExitCode(), 9);
}

}  // namespace
}  // namespace guise::server
