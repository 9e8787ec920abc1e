#include "server/launch/guest_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/floor/privileges.h"

namespace guise::server {

const char kNoProcess[] = "cannot start the guest";

namespace {

constexpr char kNotTaken[] = "cannot take the session's memories";

// Tells the launcher why there is no guest.
[[noreturn]] void Report(int channel, const ConfinementFailure& failure) {
  [[maybe_unused]] const ssize_t sent = send(channel, &failure, sizeof(failure), MSG_NOSIGNAL);
  _exit(126);
}
[[noreturn]] void Report(int channel, const char* what = nullptr) { Report(channel, {errno, what, nullptr}); }

// Waits for the launcher's byte, and puts what comes with it into its places.
void AwaitHandover(int channel, const GuardedFds& fds) {
  const ConfinementFailure ready;
  ByteWithFds message;
  if (send(channel, &ready, sizeof(ready), MSG_NOSIGNAL) != sizeof(ready)) _exit(126);
  ssize_t length;
  do length = recvmsg(channel, &message.header, MSG_CMSG_CLOEXEC);
  while (length < 0 && errno == EINTR);
  if (length != 1) _exit(126);  // the launcher has given up, and asks nobody why
  if (fds.image < 0) return;
  const cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
  int received[kHandedOver];
  // Short where descriptors were out.
  if (control == nullptr || control->cmsg_len != CMSG_LEN(sizeof(received))) Report(channel, {EMFILE, kNotTaken});
  memcpy(received, CMSG_DATA(control), sizeof(received));
  if (dup3(received[0], fds.request, O_CLOEXEC) < 0 || dup3(received[1], fds.reply, O_CLOEXEC) < 0) {
    Report(channel, kNotTaken);
  }
  for (const int fd : received) close(fd);
}

[[noreturn]] void Execute(const GuestStart& start, const GuardedFds& fds, char* const* arguments,
                          char* const* environment, int channel) {
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
  if (!start.filter.empty() && !InstallFilter(start.filter)) {
    Report(channel, "cannot set the system call filter of --kernel generic");
  }
  if (fds.image >= 0) {
    syscall(SYS_execveat, fds.image, "", arguments, environment, AT_EMPTY_PATH);
  } else {
    syscall(SYS_execve, start.path.c_str(), arguments, environment);
  }
  Report(channel);
}

pid_t RawFork(int flags) { return static_cast<pid_t>(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0)); }

// Returns in the guest.
void BeConfined(const GuestStart& start, bool is_in_cgroup, int image, const char* image_path, wire::Hiding* hiding,
                int channel, int stops) {
  const Confinement& confinement = *start.floor->confinement();
  GivenInput::Position input(confinement.input());
  ConfinementFailure failure;
  if (!confinement.Enter(is_in_cgroup, image, image_path, hiding, &failure)) Report(channel, failure);
  const pid_t guest = RawFork(0);
  // A group that guise-init is not in: one without a parent in another group of its session cannot be stopped by
  // SIGTSTP.
  if (guest == 0 && confinement.in_own_session()) setpgid(0, 0);
  if (guest == 0) return;
  if (guest < 0) Report(channel, {errno, kNoProcess, nullptr});
  const unsigned used = input.MoveTo(1, 2) ? 3 : 1;
  dup2(stops, 0);
  close_range(used, ~0U, 0);
  BeInit(guest, 0, input);
}

// Returns in the guest, a child of the launcher, whose id is told to `pids`.
void BeJoined(const GuestStart& start, bool is_in_cgroup, int image, int channel, int pids) {
  const Confinement& confinement = *start.floor->confinement();
  ConfinementFailure failure;
  if (!confinement.Join(is_in_cgroup, start.joins, &failure)) Report(channel, failure);
  const pid_t guest = RawFork(CLONE_PARENT);
  if (guest == 0) {
    if (!confinement.Narrow(image, &failure)) Report(channel, failure);
    return;
  }
  if (guest < 0) Report(channel, {errno, kNoProcess, nullptr});
  [[maybe_unused]] const ssize_t written = write(pids, &guest, sizeof(guest));
  _exit(0);
}

}  // namespace

Born RawForkIn(int cgroup, int flags) {
  if (cgroup >= 0) {
    clone_args arguments = {};
    arguments.flags = static_cast<uint64_t>(flags) | CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = static_cast<uint64_t>(cgroup);
    const auto pid = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
    if (pid >= 0) return {pid, true};
  }
  return {RawFork(flags), false};
}

void BecomeGuest(const Child& child) {
  const GuestStart& start = child.start;
  if (child.has_init) {
    BeConfined(start, child.is_in_cgroup, child.fds.image, child.image_path, child.hiding, child.channel, child.stops);
  } else if (start.floor != nullptr && start.floor->confinement() != nullptr) {
    BeJoined(start, child.is_in_cgroup, child.fds.image, child.channel, child.pids);
  } else if (start.floor != nullptr && start.floor->restriction() != nullptr) {
    ConfinementFailure failure;
    if (!start.floor->restriction()->Enter(child.fds.image, &failure)) Report(child.channel, failure);
  }
  AwaitHandover(child.channel, child.fds);
  Execute(start, child.fds, child.arguments, child.environment, child.channel);
}

}  // namespace guise::server
