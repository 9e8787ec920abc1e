#include "server/launch/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "server/floor/confinement.h"
#include "server/launch/ancestry.h"
#include "server/launch/errno_status.h"
#include "server/reactor/pidfd.h"

namespace guise::server {
namespace {

// How long after the connection's end the server's own end may take to show.
constexpr int64_t kVerdictMillis = 1000;

constexpr int kOwnFailure = 125;

int64_t MonotonicMillis() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

void Say(const std::string& line) {
  const std::string text = "guise: " + line + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

// Whether a signal that reached the launcher has reached the guest by itself, or is no business of the guest's.
bool PassesBy(const signalfd_siginfo& info, pid_t guest, bool in_own_session) {
  if (info.ssi_signo == SIGCHLD) return true;
  if (info.ssi_code == SI_KERNEL) {
    if (in_own_session) return false;
    // The terminal's signals go to the whole process group; but its hang-up goes to the session's leader alone.
    return info.ssi_signo != SIGHUP || getsid(0) != getpid();
  }
  const auto sender = static_cast<pid_t>(info.ssi_pid);
  if (sender == getpid()) return true;  // SIGPIPE of a write to a closed stderr
  // A guest that signals its own process group has signalled itself.
  return info.ssi_signo != SIGCONT && DescendsFrom(sender, guest);
}

// Sees to it that a stopped launcher goes on when its guest has ended, which nobody would tell it: the shell waits for
// the launcher. A process, for all threads stop.
class Waker {
 public:
  explicit Waker(pid_t guest) {
    const OwnedFd pidfd = OpenPidfd(guest);
    if (!pidfd) return;
    const pid_t launcher = getpid();
    process_ = _Fork();
    if (process_ == 0) Wake(launcher, pidfd.get());
  }
  ~Waker() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

 private:
  // Async-signal-safe: the launcher has threads. All signals are blocked that the terminal sends.
  [[noreturn]] static void Wake(pid_t launcher, int pidfd) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    pollfd end = {pidfd, POLLIN, 0};
    while (poll(&end, 1, -1) < 0 && errno == EINTR) {
    }
    // It may not have stopped yet.
    constexpr int kAgainMillis = 50;
    while (getppid() == launcher) {
      kill(launcher, SIGCONT);
      poll(nullptr, 0, kAgainMillis);
    }
    _exit(0);
  }

  pid_t process_ = -1;
};

void StopAsGuest(pid_t guest) {
  const Waker waker(guest);
  kill(getpid(), SIGSTOP);
}

class Supervisor {
 public:
  Supervisor(pid_t guest, const SignalInbox& inbox, Keeper* keeper, int stops, bool in_own_session)
      : guest_(guest), inbox_(inbox), keeper_(keeper), stops_(stops), in_own_session_(in_own_session) {}

  int Run() {
    while (!Reap()) {
      constexpr int kOwn = 2;
      pollfd fds[kOwn + Keeper::kPollFds];
      fds[0] = {inbox_.fd(), POLLIN, 0};
      fds[1] = {stops_open_ ? stops_ : -1, POLLIN, 0};
      if (keeper_ != nullptr) keeper_->FillPoll(fds + kOwn);
      poll(fds, kOwn + (keeper_ == nullptr ? 0 : Keeper::kPollFds), Timeout());
      if (fds[0].revents != 0) Forward();
      if ((fds[1].revents & POLLIN) != 0) {
        StopToo();
      } else if (fds[1].revents != 0) {
        stops_open_ = false;  // guise-init has gone
      }
      if (keeper_ == nullptr) continue;
      keeper_->Check();
      SpeakOfServer();
    }
    if (keeper_ == nullptr) return exit_code_;
    AwaitVerdict();
    for (const std::string& line : keeper_->memory().Panics(keeper_->panics_at_start())) Say(line);
    return exit_code_;
  }

 private:
  int Timeout() const {
    if (keeper_ == nullptr) return -1;
    if (keeper_->Verdict() == Keeper::Server::kLetGo && !spoken_) return 100;
    return keeper_->PollTimeout();
  }

  // Takes every change of a child's state; true when the guest has ended.
  bool Reap() {
    for (;;) {
      siginfo_t info = {};
      if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG) != 0) {
        if (errno == EINTR) continue;
        exit_code_ = kOwnFailure;  // ECHILD: somebody else has waited for the guest
        return true;
      }
      if (info.si_pid == 0) return false;
      if (info.si_pid != guest_) continue;  // a child from before an exec, or an orphan when this is pid 1
      switch (info.si_code) {
        case CLD_EXITED:
          exit_code_ = info.si_status;
          return true;
        case CLD_KILLED:
        case CLD_DUMPED:
          exit_code_ = 128 + info.si_status;
          return true;
        case CLD_STOPPED:
          StopAsGuest(guest_);
          break;
        default:
          break;
      }
    }
  }

  void StopToo() {
    char told[64];
    if (read(stops_, told, sizeof(told)) > 0) StopAsGuest(guest_);
  }

  void Forward() {
    signalfd_siginfo info;
    while (read(inbox_.fd(), &info, sizeof(info)) == sizeof(info)) {
      if (!PassesBy(info, guest_, in_own_session_)) Pass(info);
    }
  }

  void Pass(const signalfd_siginfo& info) const {
    const auto signal = static_cast<int>(info.ssi_signo);
    // A terminal, and a shell that goes on with a job, mean the whole process group.
    if (!in_own_session_ || (info.ssi_code != SI_KERNEL && signal != SIGCONT)) {
      kill(guest_, signal);
    } else if (stops_ < 0) {
      // Its group has no parent in its session, so that the kernel would not stop it for the terminal's sake.
      kill(-guest_, signal == SIGTSTP ? SIGSTOP : signal);
    } else {
      sigqueue(guest_, signal, {.sival_int = kForGroup});
    }
  }

  // A server's death shows a moment after the connection's end, and the guest may end in between.
  void AwaitVerdict() {
    keeper_->Check();
    const int64_t given_up = MonotonicMillis() + kVerdictMillis;
    while (!spoken_ && keeper_->Verdict() == Keeper::Server::kLetGo && MonotonicMillis() < given_up) {
      pollfd fds[Keeper::kPollFds];
      keeper_->FillPoll(fds);
      poll(fds, Keeper::kPollFds, Timeout());
      keeper_->Check();
    }
    if (keeper_->Verdict() == Keeper::Server::kDied) SpeakOfServer();
  }

  void SpeakOfServer() {
    if (spoken_ || keeper_->Verdict() == Keeper::Server::kServes) return;
    if (keeper_->Verdict() == Keeper::Server::kDied) {
      spoken_ = true;
      Say(absl::StrFormat("the server (pid %d) died; calls now follow the session's policy: %s", keeper_->server_pid(),
                          keeper_->LossPolicyInWords()));
      return;
    }
    if (lost_at_ < 0) lost_at_ = MonotonicMillis();
    if (MonotonicMillis() - lost_at_ < kVerdictMillis) return;
    spoken_ = true;
    Say(absl::StrFormat("the server (pid %d) has ended the session; calls now follow its policy: %s",
                        keeper_->server_pid(), keeper_->LossPolicyInWords()));
  }

  const pid_t guest_;
  const SignalInbox& inbox_;
  Keeper* const keeper_;
  const int stops_;
  const bool in_own_session_;
  bool stops_open_ = true;
  int exit_code_ = 0;
  bool spoken_ = false;
  int64_t lost_at_ = -1;
};

}  // namespace

absl::StatusOr<SignalInbox> SignalInbox::Open() {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);
  sigset_t signals;
  sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&signals, fault);
  sigprocmask(SIG_SETMASK, &signals, nullptr);
  OwnedFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return ErrnoStatus(errno, "cannot make a signalfd");
  return SignalInbox(std::move(fd));
}

int SignalInbox::AskedToEnd() const {
  sigset_t pending;
  sigpending(&pending);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction action;
    if (sigismember(&pending, signal) != 1 || sigaction(signal, nullptr, &action) != 0) continue;
    if (action.sa_handler != SIG_IGN) return signal;
  }
  return 0;
}

void SignalInbox::EndBy(int signal) {
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);  // does not return: the signal is pending, the disposition the default one
}

int Supervise(pid_t guest, const SignalInbox& inbox, Keeper* keeper, int stops, bool in_own_session) {
  return Supervisor(guest, inbox, keeper, stops, in_own_session).Run();
}

}  // namespace guise::server
