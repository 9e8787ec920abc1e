#include "server/launch/guest_start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/wire/handover.h"
#include "proto/wire/version.h"
#include "server/floor/privileges.h"
#include "server/launch/errno_status.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

bool IsFree(int fd) { return fcntl(fd, F_GETFD) < 0 && errno == EBADF; }

// Keeps stdin, stdout and stderr out of it, also when they are closed.
constexpr int kLowestGuardedFd = 3;

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

absl::Status DupTo(int fd, int place) {
  if (dup3(fd, place, O_CLOEXEC) < 0) return ErrnoStatus(errno, absl::StrCat("cannot place a guarded fd at ", place));
  return absl::OkStatus();
}

// Tells the parent why there is no guest.
[[noreturn]] void Report(int pipe, const ConfinementFailure& failure) {
  [[maybe_unused]] const ssize_t written = write(pipe, &failure, sizeof(failure));
  _exit(126);
}
[[noreturn]] void Report(int pipe) { Report(pipe, {errno, nullptr, nullptr}); }

// REQUIRES: runs in the child. Async-signal-safe.
[[noreturn]] void BecomeGuest(const GuestStart& start, const GuardedFds& fds, char* const* arguments,
                              char* const* environment, int failure) {
  if (start.floor != nullptr) {
    // What the launcher was given beside its standard descriptors would be a way out.
    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  }
  for (const int fd : {fds.image, fds.request, fds.reply}) {
    if (fd >= 0) fcntl(fd, F_SETFD, 0);
  }
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != start.open_files) {
    limit.rlim_cur = start.open_files;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  start.signals.Restore();
  if (!start.filter.empty() && !InstallFilter(start.filter)) Report(failure);
  if (fds.image >= 0) {
    syscall(SYS_execveat, fds.image, "", arguments, environment, AT_EMPTY_PATH);
  } else {
    syscall(SYS_execve, start.path.c_str(), arguments, environment);
  }
  Report(failure);
}

// A process without what libc does at a fork: nothing but system calls follows.
pid_t RawFork(int flags) { return static_cast<pid_t>(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0)); }

// REQUIRES: runs in the child, process 1 of its namespaces. Returns in the guest. Async-signal-safe.
void BeConfined(const GuestStart& start, int image, const char* image_path, int pipe) {
  ConfinementFailure failure;
  if (!start.floor->confinement()->Enter(image, image_path, start.hiding, &failure)) Report(pipe, failure);
  const pid_t guest = RawFork(0);
  // A group that guise-init is not in: one without a parent in another group of its session cannot be stopped by
  // SIGTSTP.
  if (guest == 0 && start.floor->confinement()->in_own_session()) setpgid(0, 0);
  if (guest == 0) return;
  if (guest < 0) Report(pipe, {errno, "cannot start the guest", nullptr});
  dup2(start.stops, 0);
  close_range(1, ~0U, 0);
  BeInit(guest, 0);
}

// REQUIRES: runs in the child. Returns in the guest, a child of the launcher, whose id is told to `pids`.
// Async-signal-safe.
void BeJoined(const GuestStart& start, int image, int pipe, int pids) {
  ConfinementFailure failure;
  if (!start.floor->confinement()->Join(start.joins, &failure)) Report(pipe, failure);
  const pid_t guest = RawFork(CLONE_PARENT);
  if (guest == 0) {
    if (!start.floor->confinement()->Narrow(image, &failure)) Report(pipe, failure);
    return;
  }
  if (guest < 0) Report(pipe, {errno, "cannot start the guest", nullptr});
  [[maybe_unused]] const ssize_t written = write(pids, &guest, sizeof(guest));
  _exit(0);
}

// Of the process that BeJoined() has told of, if it has; reaps `messenger`, which told.
pid_t TakeJoined(pid_t messenger, int pids) {
  pid_t guest = 0;
  ssize_t length;
  do length = read(pids, &guest, sizeof(guest));
  while (length < 0 && errno == EINTR);
  waitpid(messenger, nullptr, 0);
  return length == sizeof(guest) ? guest : 0;
}

}  // namespace

absl::StatusOr<GuardedFds> ChooseGuardedFds(rlim_t limit) {
  int places[wire::kGuardedFds];
  for (int i = 0; i < wire::kGuardedFds; ++i) {
    int fd = wire::kFirstGuardedFd + i;
    if (limit != RLIM_INFINITY && static_cast<rlim_t>(fd) >= limit) fd = static_cast<int>(limit) - 1;
    while (fd >= kLowestGuardedFd && (!IsFree(fd) || std::find(places, places + i, fd) != places + i)) --fd;
    if (fd < kLowestGuardedFd) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("no three free fds below %d for the shim; raise `ulimit -n` or close some", limit));
    }
    places[i] = fd;
  }
  return GuardedFds{places[0], places[1], places[2]};
}

std::string HandoverVariable(const GuardedFds& fds, const std::string& path) {
  return absl::StrFormat("%s%d:%d:%d:%d:%d:0:-1:%s", wire::kHandoverName, wire::kAbiMax, fds.image, fds.request,
                         fds.reply, wire::kHandoverFirst, path);
}

absl::StatusOr<pid_t> StartGuest(const GuestStart& start) {
  const bool has_shim = start.image >= 0;
  const absl::StatusOr<GuardedFds> fds = has_shim ? ChooseGuardedFds(start.open_files) : GuardedFds{-1, -1, -1};
  if (!fds.ok()) return fds.status();

  std::vector<std::string> arguments = start.arguments;
  std::vector<std::string> environment;
  for (const std::string& variable : start.environment) {
    if (!absl::StartsWith(variable, wire::kHandoverName)) environment.push_back(variable);
  }
  if (has_shim) environment.push_back(HandoverVariable(*fds, start.path));
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> envp = Pointers(environment);

  // Taken here and not in the child: the numbers are in the string already, so they must not be lost to a thread.
  OwnedFd guarded[wire::kGuardedFds];
  const int given[] = {start.image, start.request, start.reply};
  const int places[] = {fds->image, fds->request, fds->reply};
  for (int i = 0; has_shim && i < wire::kGuardedFds; ++i) {
    if (absl::Status status = DupTo(given[i], places[i]); !status.ok()) return status;
    guarded[i] = OwnedFd(places[i]);
  }

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "cannot make a pipe");
  const OwnedFd read_end(ends[0]);
  OwnedFd write_end(ends[1]);
  const Confinement* const confinement = start.floor == nullptr ? nullptr : start.floor->confinement();
  const Restriction* const restriction = start.floor == nullptr ? nullptr : start.floor->restriction();
  const bool joins = confinement != nullptr && start.joins >= 0;
  int pid_ends[2];
  if (pipe2(pid_ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "cannot make a pipe");
  const OwnedFd pids_read(pid_ends[0]);
  OwnedFd pids_write(pid_ends[1]);
  char image_path[PATH_MAX] = {};
  const std::string image_link = absl::StrCat("/proc/self/fd/", start.image);
  if (has_shim && readlink(image_link.c_str(), image_path, sizeof(image_path) - 1) < 0) {
    return ErrnoStatus(errno, "cannot tell where the shim's image lies");
  }
  const pid_t child = confinement == nullptr ? fork() : RawFork(joins ? 0 : confinement->CloneFlags());
  if (child < 0 && confinement != nullptr && errno != EAGAIN && errno != ENOMEM) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot make the namespaces of a sandbox: ", strerror(errno),
        "; `guise doctor` says whether user namespaces can be made here, and --best-effort makes a sandbox "
        "without, which keeps less (`guise policy explain`)"));
  }
  if (child < 0) return ErrnoStatus(errno, "cannot start a process", "raise `ulimit -u`");
  if (child == 0) {
    if (joins) {
      BeJoined(start, fds->image, write_end.get(), pids_write.get());
    } else if (confinement != nullptr) {
      BeConfined(start, fds->image, image_path, write_end.get());
    } else if (restriction != nullptr) {
      ConfinementFailure failure;
      if (!restriction->Enter(fds->image, &failure)) Report(write_end.get(), failure);
    }
    BecomeGuest(start, *fds, argv.data(), envp.data(), write_end.get());
  }
  write_end = OwnedFd();
  pids_write = OwnedFd();

  ConfinementFailure failure;
  ssize_t length;
  do {
    length = read(read_end.get(), &failure, sizeof(failure));
  } while (length < 0 && errno == EINTR);
  const pid_t guest = joins ? TakeJoined(child, pids_read.get()) : child;
  if (length == 0 && guest != 0) return guest;  // closed by the exec
  if (guest != 0) waitpid(guest, nullptr, 0);
  const int error = failure.error;
  if (failure.what != nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("sandbox: ", failure.what, failure.object == nullptr ? "" : " ",
                                                      failure.object == nullptr ? "" : failure.object, ": ",
                                                      strerror(error)));
  }
  if (error == E2BIG) {
    return absl::OutOfRangeError(
        absl::StrCat("cannot run \"", start.path, "\": Argument list too long; shorten its arguments or environment"));
  }
  if (!has_shim) {
    const std::string text = absl::StrCat("cannot run \"", start.path, "\": ", strerror(error));
    return error == ENOENT ? absl::NotFoundError(text) : absl::OutOfRangeError(text);
  }
  return ErrnoStatus(error, "cannot execute the shim's image",
                     "check that its file is a 64-bit executable on a file system that is not mounted noexec");
}

}  // namespace guise::server
