#include "server/control/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/launch/errno_status.h"

namespace guise::server {
namespace {

// The first byte of the daemon's word; what follows kFailed is the reason.
constexpr char kReady = '+';
constexpr char kFailed = '-';

[[noreturn]] void WaitForWord(int report) {
  std::string word;
  char bytes[1024];
  for (;;) {
    const ssize_t length = read(report, bytes, sizeof(bytes));
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    word.append(bytes, static_cast<size_t>(length));
  }
  if (!word.empty() && word[0] == kReady) _exit(0);
  dprintf(STDERR_FILENO, "guised: %s\n", word.empty() ? "the server died before it served" : word.c_str() + 1);
  _exit(1);
}

// Whatever whoever started us had open: a pipe held open would keep its reader waiting.
void CloseInherited(int kept) {
  syscall(SYS_close_range, 3u, static_cast<unsigned>(kept) - 1, 0);
  syscall(SYS_close_range, static_cast<unsigned>(kept) + 1, ~0u, 0);
}

}  // namespace

absl::StatusOr<Readiness> Detach() {
  int ends[2];
  // Not below 3, so that CloseInherited can spare it.
  for (int fd = open("/dev/null", O_RDWR); fd < 3; fd = open("/dev/null", O_RDWR)) {
    if (fd < 0) return ErrnoStatus(errno, "cannot open /dev/null");
  }
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "cannot make a pipe");
  OwnedFd read_end(ends[0]);
  OwnedFd write_end(ends[1]);
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus(errno, "cannot start a process");
  if (child > 0) {
    write_end = OwnedFd();
    WaitForWord(read_end.get());
  }
  setsid();
  const pid_t daemon = fork();
  if (daemon < 0) return ErrnoStatus(errno, "cannot start a process");
  if (daemon > 0) _exit(0);
  read_end = OwnedFd();
  CloseInherited(write_end.get());
  umask(077);
  const OwnedFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null || dup2(null.get(), STDIN_FILENO) < 0 || chdir("/") != 0) return ErrnoStatus(errno, "cannot detach");
  return Readiness(std::move(write_end));
}

std::string LiftLimits() {
  struct Limited {
    int resource;
    char letter;    // of ulimit
    rlim_t enough;  // a server that has less fails, sooner or later
  };
  constexpr Limited kLimits[] = {{RLIMIT_AS, 'v', RLIM_INFINITY},  {RLIMIT_DATA, 'd', RLIM_INFINITY},
                                 {RLIMIT_CPU, 't', RLIM_INFINITY}, {RLIMIT_FSIZE, 'f', RLIM_INFINITY},
                                 {RLIMIT_NOFILE, 'n', 1024},       {RLIMIT_NPROC, 'u', 0},
                                 {RLIMIT_MEMLOCK, 'l', 0}};
  std::string harmed;
  for (const Limited& limited : kLimits) {
    rlimit limit = {};
    if (getrlimit(limited.resource, &limit) != 0) continue;
    if (limit.rlim_cur != limit.rlim_max) {
      limit.rlim_cur = limit.rlim_max;
      setrlimit(limited.resource, &limit);
    }
    if (limit.rlim_max >= limited.enough) continue;
    const rlimit lifted = {limited.enough, limited.enough};
    if (setrlimit(limited.resource, &lifted) != 0) harmed += limited.letter;
  }
  // Refused to those who may not go up; there is nobody to tell.
  if (getpriority(PRIO_PROCESS, 0) > 0) setpriority(PRIO_PROCESS, 0, 0);
  cpu_set_t all;
  memset(&all, 0xff, sizeof(all));
  sched_setaffinity(0, sizeof(all), &all);
  return harmed;
}

absl::Status CheckOpenFiles() {
  constexpr rlim_t kLeast = 64;
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max >= kLeast) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the limit of open files is ", limit.rlim_max,
                                                    " (ulimit -Hn), and a server needs ", kLeast,
                                                    "; start it where there are more (guise server start)"));
}

void Readiness::Ready() {
  if (report_) [[maybe_unused]]
    const ssize_t written = write(report_.get(), &kReady, 1);
  report_ = OwnedFd();
}

void Readiness::Failed(const absl::Status& why) {
  if (report_) {
    const std::string word = kFailed + std::string(why.message());
    [[maybe_unused]] const ssize_t written = write(report_.get(), word.data(), word.size());
    report_ = OwnedFd();
    return;
  }
  dprintf(STDERR_FILENO, "guised: %s\n", std::string(why.message()).c_str());
}

}  // namespace guise::server
