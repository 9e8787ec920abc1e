#include "server/launch/guest_start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/wire/handover.h"
#include "proto/wire/version.h"
#include "server/launch/errno_status.h"
#include "server/launch/guest_child.h"
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

// False: the other end is closed.
bool Receive(int channel, ConfinementFailure* told) {
  ssize_t length;
  do length = recv(channel, told, sizeof(*told), 0);
  while (length < 0 && errno == EINTR);
  return length == sizeof(*told);
}

// Of the guest in a joined sandbox that its messenger has told of, if it has; reaps `messenger`, which told.
pid_t TakeJoined(pid_t messenger, int pids) {
  pid_t guest = 0;
  ssize_t length;
  do length = read(pids, &guest, sizeof(guest));
  while (length < 0 && errno == EINTR);
  waitpid(messenger, nullptr, 0);
  return length == sizeof(guest) ? guest : 0;
}

absl::Status RefusedNamespaces(int error) {
  // ABI: namespaces(7): there are as many as one of the limits allows, which is no question of what can be made here.
  if (error == ENOSPC) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot make the namespaces of a sandbox: ", strerror(error),
                                                     ": there are as many as the limits in /proc/sys/user "
                                                     "(max_*_namespaces) allow; raise them, or end other sandboxes"));
  }
  return absl::FailedPreconditionError(absl::StrCat("cannot make the namespaces of a sandbox: ", strerror(error),
                                                    "; `guise doctor` says whether user namespaces can be made here, "
                                                    "and --best-effort makes a sandbox without, which "
                                                    "keeps less (`guise policy explain`)"));
}

void Copy(const wire::Hiding& from, wire::Hiding* to) {
  to->device.StoreRelaxed(from.device.Relaxed());
  for (size_t i = 0; i < std::size(from.inodes); ++i) to->inodes[i].StoreRelaxed(from.inodes[i].Relaxed());
  for (size_t i = 0; i < std::size(from.names); ++i) to->names[i].StoreRelaxed(from.names[i].Relaxed());
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

StartingGuest::StartingGuest(StartingGuest&& other) noexcept
    : start_(other.start_),
      child_(std::exchange(other.child_, 0)),
      channel_(std::move(other.channel_)),
      pids_(std::move(other.pids_)),
      stops_(std::move(other.stops_)),
      hidden_(std::move(other.hidden_)) {}

StartingGuest::~StartingGuest() {
  const pid_t guest = TakeGuest();
  if (guest == 0) return;
  kill(guest, SIGKILL);
  waitpid(guest, nullptr, 0);
}

pid_t StartingGuest::TakeGuest() {
  const pid_t child = std::exchange(child_, 0);
  return child != 0 && pids_ ? TakeJoined(child, pids_.get()) : child;
}

bool StartingGuest::HasInit() const {
  return start_->floor != nullptr && start_->floor->confinement() != nullptr && start_->joins < 0;
}

absl::StatusOr<StartingGuest> StartingGuest::Begin(const GuestStart& start) {
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

  // Taken here and not in the child: the numbers are in the string already, so they must not be lost to a thread. What
  // is handed over will replace two of them.
  OwnedFd guarded[wire::kGuardedFds];
  const int places[] = {fds->image, fds->request, fds->reply};
  for (int i = 0; has_shim && i < wire::kGuardedFds; ++i) {
    if (absl::Status status = DupTo(start.image, places[i]); !status.ok()) return status;
    guarded[i] = OwnedFd(places[i]);
  }

  StartingGuest guest(start);
  const Confinement* const confinement = start.floor == nullptr ? nullptr : start.floor->confinement();
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return ErrnoStatus(errno, "cannot make a pair of sockets");
  }
  guest.channel_ = OwnedFd(ends[0]);
  const OwnedFd channel(ends[1]);
  OwnedFd pids;
  OwnedFd stops;
  wire::Hiding* hiding = nullptr;
  if (guest.HasInit()) {
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return ErrnoStatus(errno, "cannot make a pipe");
    guest.stops_ = OwnedFd(ends[0]);
    stops = OwnedFd(ends[1]);
    absl::StatusOr<Mapping> hidden = Mapping::MakeShared(sizeof(wire::Hiding));
    if (!hidden.ok()) return hidden.status();
    guest.hidden_ = *std::move(hidden);
    hiding = guest.hidden_.As<wire::Hiding>();
  } else if (confinement != nullptr) {
    if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "cannot make a pipe");
    guest.pids_ = OwnedFd(ends[0]);
    pids = OwnedFd(ends[1]);
  }
  char image_path[PATH_MAX] = {};
  const std::string image_link = absl::StrCat("/proc/self/fd/", start.image);
  if (has_shim && readlink(image_link.c_str(), image_path, sizeof(image_path) - 1) < 0) {
    return ErrnoStatus(errno, "cannot tell where the shim's image lies");
  }

  const Born born = confinement == nullptr
                        ? Born{fork(), false}
                        : RawForkIn(confinement->birthplace(), guest.HasInit() ? confinement->CloneFlags() : 0);
  const pid_t child = born.pid;
  if (child < 0 && confinement != nullptr && errno != EAGAIN && errno != ENOMEM) return RefusedNamespaces(errno);
  if (child < 0) return ErrnoStatus(errno, "cannot start a process", "raise `ulimit -u`");
  if (child == 0) {
    close(guest.channel_.get());  // its end is to show when the launcher's is closed
    BecomeGuest({.start = start,
                 .fds = *fds,
                 .arguments = argv.data(),
                 .environment = envp.data(),
                 .image_path = image_path,
                 .has_init = guest.HasInit(),
                 .is_in_cgroup = born.is_in_cgroup,
                 .channel = channel.get(),
                 .stops = stops.get(),
                 .pids = pids.get(),
                 .hiding = hiding});
  }
  guest.child_ = child;
  return guest;
}

bool StartingGuest::HandOver(const Handover* handover) const {
  ByteWithFds message;
  if (handover == nullptr) {
    message.header.msg_controllen = 0;
  } else {
    if (HasInit() && handover->hiding != nullptr) Copy(*hidden_.As<wire::Hiding>(), handover->hiding);
    const int fds[kHandedOver] = {handover->request, handover->reply};
    cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(control), fds, sizeof(fds));
  }
  return sendmsg(channel_.get(), &message.header, MSG_NOSIGNAL) == 1;
}

StartingGuest::Heard StartingGuest::Hear(pid_t guest, ConfinementFailure* told) const {
  constexpr int kLookMillis = 50;  // for a stop, which no descriptor tells
  for (;;) {
    pollfd fds[] = {{channel_.get(), POLLIN, 0}, {stops_.get(), POLLIN, 0}};
    poll(fds, std::size(fds), kLookMillis);
    if (fds[0].revents != 0) return Receive(channel_.get(), told) ? Heard::kMessage : Heard::kEnd;
    if ((fds[1].revents & POLLIN) != 0) return Heard::kStop;
    siginfo_t info = {};
    // Left there for the supervisor. guise-init tells of the guest's stops itself.
    const bool looks = !HasInit() && guest != 0;
    if (looks && waitid(P_PID, static_cast<id_t>(guest), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0) {
      return Heard::kStop;
    }
  }
}

absl::StatusOr<pid_t> StartingGuest::Finish(const Handover* handover) {
  const pid_t guest = TakeGuest();
  ConfinementFailure told;
  bool handed_over = false;
  Heard heard = Hear(guest, &told);
  while (heard != Heard::kEnd && !IsFailure(told)) {
    handed_over = handed_over || HandOver(handover);
    // To wait for it is the supervisor's: it stops with the guest, and passes on what continues or ends it.
    if (heard == Heard::kStop || !handed_over) break;
    heard = Hear(guest, &told);
  }
  if (handed_over && !IsFailure(told) && guest != 0) return guest;
  int status = 0;
  if (guest != 0) waitpid(guest, &status, 0);
  return WhyNot(told, status);
}

absl::Status StartingGuest::WhyNot(const ConfinementFailure& failure, int status) const {
  if (!IsFailure(failure)) {
    const std::string how = WIFSIGNALED(status) ? absl::StrCat("by signal ", WTERMSIG(status))
                                                : absl::StrCat("with exit code ", WEXITSTATUS(status));
    return absl::InternalError(absl::StrCat("the process that was to run \"", start_->path, "\" has ended before, ",
                                            how,
                                            "; look who ends processes here (the kernel's log tells of memory that "
                                            "was short), then try again"));
  }
  const char* const error = strerror(failure.error);
  if (failure.what == Confinement::kNoNamespaces) return RefusedNamespaces(failure.error);
  if (failure.what == kNoProcess && failure.error == EAGAIN) {
    return absl::ResourceExhaustedError(
        "sandbox: cannot start the guest: there are as many processes as may be; end some, or let the sandbox have "
        "more (--processes)");
  }
  if (failure.what != nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(start_->floor == nullptr ? "" : "sandbox: ", failure.what,
                                                      failure.object == nullptr ? "" : " ",
                                                      failure.object == nullptr ? "" : failure.object, ": ", error,
                                                      failure.error == EMFILE ? "; raise `ulimit -n`" : ""));
  }
  if (failure.error == E2BIG) {
    return absl::OutOfRangeError(absl::StrCat("cannot run \"", start_->path,
                                              "\": Argument list too long; shorten its arguments or environment"));
  }
  if (start_->image < 0) {
    const std::string text = absl::StrCat("cannot run \"", start_->path, "\": ", error);
    return failure.error == ENOENT ? absl::NotFoundError(text) : absl::OutOfRangeError(text);
  }
  return ErrnoStatus(failure.error, "cannot execute the shim's image",
                     "check that its file is a 64-bit executable on a file system that is not mounted noexec");
}

}  // namespace guise::server
