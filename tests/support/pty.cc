#include "tests/support/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace guise::tests {
namespace {

[[noreturn]] void Exec(const Command& command) {
  std::vector<char*> argv;
  std::vector<char*> env;
  for (const std::string& s : command.argv) argv.push_back(const_cast<char*>(s.c_str()));
  for (const std::string& s : command.env) env.push_back(const_cast<char*>(s.c_str()));
  argv.push_back(nullptr);
  env.push_back(nullptr);
  for (int fd = 3; fd < 1024; ++fd) close(fd);
  for (int sig = 1; sig < NSIG; ++sig) signal(sig, SIG_DFL);
  if (!(command.account == Self())) {
    if (fchown(0, command.account.uid, command.account.gid) != 0) _exit(127);
    if (setgroups(0, nullptr) != 0 || setresgid(command.account.gid, command.account.gid, command.account.gid) != 0 ||
        setresuid(command.account.uid, command.account.uid, command.account.uid) != 0) {
      _exit(127);
    }
  }
  if (chdir(command.cwd.c_str()) != 0) _exit(127);
  execvpe(argv[0], argv.data(), env.data());
  _exit(127);
}

}  // namespace

std::unique_ptr<Terminal> Terminal::Start(const Command& command) {
  std::unique_ptr<Terminal> terminal(new Terminal);
  const winsize size{24, 200, 0, 0};
  terminal->pid_ = forkpty(&terminal->fd_, nullptr, nullptr, &size);
  if (terminal->pid_ == 0) Exec(command);
  fcntl(terminal->fd_, F_SETFD, FD_CLOEXEC);
  fcntl(terminal->fd_, F_SETFL, O_NONBLOCK);
  terminal->deadline_ = NowNanos() + PatienceNanos(command.patience_seconds);
  return terminal;
}

Terminal::~Terminal() {
  if (!reaped_ && pid_ > 0) {
    for (const pid_t pid : Descendants(pid_)) kill(pid, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (fd_ >= 0) close(fd_);
}

void Terminal::Type(std::string_view keys) {
  while (!keys.empty()) {
    const ssize_t n = write(fd_, keys.data(), keys.size());
    if (n < 0 && errno != EAGAIN && errno != EINTR) return;
    if (n > 0) keys.remove_prefix(static_cast<std::size_t>(n));
    if (n < 0) Nap();
  }
}

bool Terminal::Pump() {
  pollfd ready{fd_, POLLIN, 0};
  poll(&ready, 1, 100);
  char buffer[4096];
  const ssize_t n = read(fd_, buffer, sizeof(buffer));
  if (n > 0) screen_.append(buffer, static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

bool Terminal::Await(std::string_view text) {
  while (true) {
    const std::size_t found = screen_.find(text, awaited_);
    if (found != std::string::npos) {
      awaited_ = found + text.size();
      return true;
    }
    if (!Pump() || NowNanos() > deadline_) return false;
  }
}

int Terminal::Wait() {
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) != pid_) {
    if (NowNanos() > deadline_) return -1;
    if (!Pump()) Nap();  // nobody holds the terminal any more
  }
  reaped_ = true;
  Pump();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace guise::tests
