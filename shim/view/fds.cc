#include "shim/view/fds.h"

#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>

#include <initializer_list>

#include "shim/exec/landlock.h"
#include "shim/gate/looks.h"
#include "shim/gate/routes.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/panic.h"
#include "shim/view/fd_moves.h"
#include "shim/view/hiding.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint32_t kDupfdQuery = F_LINUX_SPECIFIC_BASE + 3;  // F_DUPFD_QUERY, Linux 6.10

// Makes room at `fd`. The copy's number is away from it, but no higher than need be: fork copies the table up to there.
int64_t MoveAway(ProcessState* process, int32_t fd) {
  int32_t* const held = fd == process->image_fd     ? &process->image_fd
                        : fd == process->request_fd ? &process->request_fd
                        : fd == process->reply_fd   ? &process->reply_fd
                                                    : &process->program_fd;
  // Who wants one of the numbers often wants the next ones too.
  constexpr int32_t kAway = 64;
  // Meanwhile the number may be any.
  CloseFdRoutes(process);
  int64_t to = Native(Nr::fcntl, fd, F_DUPFD_CLOEXEC, fd + kAway);
  if (IsError(to)) to = Native(Nr::fcntl, fd, F_DUPFD_CLOEXEC, fd + 1);
  if (IsError(to)) to = Native(Nr::fcntl, fd, F_DUPFD_CLOEXEC, 3);
  if (!IsError(to)) {
    *held = static_cast<int32_t>(to);
  } else if (fd == process->program_fd) {
    // The one that can be done without.
    *held = -1;
    to = 0;
  }
  UpdateGuarded(process);
  return to;
}

// F_DUPFD: the lowest free number from a given one on, and natively that may be a guarded one.
int64_t Duplicate(ProcessState* process, const GuestCall& call) {
  const int64_t made = Perform(call);
  if (IsError(made)) return made;
  int32_t lowest = -1;
  for (const int32_t fd : GuardedFds(*process)) {
    const bool free_natively = fd >= static_cast<int32_t>(call.args[2]) && fd < made;
    if (free_natively && (lowest < 0 || fd < lowest)) lowest = fd;
  }
  if (lowest < 0) return made;
  const FdMove move;
  if (IsError(MoveAway(process, lowest))) return made;
  const uint32_t flags = static_cast<uint32_t>(call.args[1]) == F_DUPFD_CLOEXEC ? O_CLOEXEC : 0;
  const int64_t moved = Native(Nr::dup3, made, lowest, flags);
  Native(Nr::close, made);
  return moved;
}

// close_range(2) around the guarded fds.
int64_t CloseRange(const ProcessState& process, const GuestCall& call) {
  const auto first = static_cast<uint32_t>(call.args[0]);
  const auto last = static_cast<uint32_t>(call.args[1]);
  const uint64_t flags = call.args[2];
  constexpr uint32_t kKnownFlags = CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC;
  if (first > last || (static_cast<uint32_t>(flags) & ~kKnownFlags) != 0) return -EINVAL;
  for (uint64_t from = first; from <= last;) {
    // The next guarded one.
    uint64_t fence = uint64_t{last} + 1;
    for (const int32_t fd : GuardedFds(process)) {
      const auto number = static_cast<uint32_t>(fd);
      if (fd >= 0 && number >= from && number < fence) fence = number;
    }
    if (fence > from) {
      const int64_t result = Native(Nr::close_range, from, fence - 1, flags);
      if (IsError(result)) return result;
    }
    from = fence + 1;
  }
  return 0;
}

void HideArgument(const ProcessState& process, GuestCall* call, size_t i) {
  if (IsGuarded(process, static_cast<int32_t>(call->args[i]))) call->args[i] = kNobodys;
}

// Whether it is one of the session's files, as guests guard them.
bool IsSessionFile(const ProcessState& process, const struct stat& file) {
  for (const int32_t fd : SessionFds(process)) {
    struct stat own;
    if (IsError(Native(Nr::fstat, fd, &own))) continue;
    if (own.st_ino == file.st_ino && own.st_dev == file.st_dev) return true;
  }
  return false;
}
// Whether an fd of this process is of one of the session's files.
bool IsSessionFile(const ProcessState& process, int64_t fd) {
  struct stat file;
  return !IsError(Native(Nr::fstat, fd, &file)) && IsSessionFile(process, file);
}

// pidfd_getfd(2). What another guest guards is not open there, as far as this one can tell.
int64_t Fetch(const ProcessState& process, const GuestCall& call) {
  const int64_t made = Perform(call);
  if (IsError(made)) return made;
  bool hidden = IsSessionFile(process, made);
  if (!hidden && static_cast<int32_t>(call.args[1]) == process.program_fd) {
    // Where this one has its program, another guest has its own.
    GuestCall of_image = call;
    of_image.args[1] = static_cast<uint64_t>(process.image_fd);
    const int64_t image = Perform(of_image);
    hidden = !IsError(image) && IsSessionFile(process, image);
    if (!IsError(image)) Native(Nr::close, image);
  }
  if (!hidden) return made;
  Native(Nr::close, made);
  return -EBADF;
}

// Whether the process `pid` has the same at `fd` as this one at a guarded number: it is such a one itself, then.
bool IsGuardedThere(const ProcessState& process, uint64_t pid, uint64_t fd) {
  for (const int32_t own : GuardedFds(process)) {
    if (own >= 0 && Native(Nr::kcmp, process.pid, pid, KCMP_FILE, own, fd) == 0) return true;
  }
  return false;
}

// kcmp(2).
int64_t Compare(const ProcessState& process, const GuestCall& call) {
  const int64_t result = Perform(call);
  const auto type = static_cast<int32_t>(call.args[2]);
  uint64_t second = call.args[4];
  if (type == KCMP_EPOLL_TFD) {
    // ABI: kcmp_epoll_target of kernel/kcmp.c: what comes before it looks at the fds; what an epoll waits for is no fd.
    kcmp_epoll_slot slot;
    if (result == -EPERM || result == -ESRCH || !ReadGuest(&slot, call.args[4])) return result;
    second = slot.efd;
  } else if (IsError(result) || type != KCMP_FILE) {
    return result;
  }
  return IsGuardedThere(process, call.args[0], call.args[3]) || IsGuardedThere(process, call.args[1], second) ? -EBADF
                                                                                                              : result;
}

enum class Listed { kNothing, kOwnFds, kOthersFds };

// Whose fds the directory lists.
Listed ListedIn(const ProcessState& process, int32_t fd) {
  struct statfs file_system;
  if (IsError(Native(Nr::fstatfs, fd, &file_system)) || file_system.f_type != PROC_SUPER_MAGIC) return Listed::kNothing;
  Text<40> link;
  link.Add("/proc/self/fd/").Add(int64_t{fd});
  char path[128];
  const int64_t length = Native(Nr::readlinkat, AT_FDCWD, link.c_str(), path, sizeof(path) - 1);
  // Where /proc is not mounted at its place, the name cannot be told; the listing is of processes' fds far more often
  // than of anything else with such names in procfs.
  if (IsError(length)) return Listed::kOthersFds;
  path[length] = 0;
  if (!Equal(BaseName(path), "fd") && !Equal(BaseName(path), "fdinfo")) return Listed::kNothing;
  Text<40> own;
  own.Add("/proc/").Add(int64_t{process.pid}).Add("/");
  return StartsWith(path, own.c_str()) ? Listed::kOwnFds : Listed::kOthersFds;
}

// Whether the fd that a process's directory lists is of the session's files, as guests guard them.
bool IsOfSession(const ProcessState& process, int32_t directory, int64_t number) {
  // Where this one has its program, another guest has its own.
  if (number == process.program_fd) number = process.image_fd;
  Text<32> path;
  path.Add("../fd/").Add(number);
  struct stat listed;
  // Who may not look is not told either.
  return !IsError(Native(Nr::newfstatat, directory, path.c_str(), &listed, 0)) && IsSessionFile(process, listed);
}

// ABI: include/linux/dirent.h: linux_dirent64 has a type between size and name, linux_dirent has it behind the name.
constexpr size_t kEntrySize = 16;
constexpr size_t NameOffset(Nr nr) { return nr == Nr::getdents64 ? 19 : 18; }
constexpr size_t kLongestNumber = 11;

bool NamesGuarded(const ProcessState& process, uint64_t name_at, int64_t* number) {
  char name[kLongestNumber + 1];
  const int64_t length = ReadGuestString(name, name_at, sizeof(name));
  if (length <= 0) return false;
  const char* at = name;
  return ReadNumber(&at, number) && *at == 0 && IsGuarded(process, static_cast<int32_t>(*number));
}

// Takes guarded fds and what is hidden out of `size` bytes of entries that the call has written; the size that is left.
int64_t Filter(const ProcessState& process, const GuestCall& call, int64_t size) {
  const auto fd = static_cast<int32_t>(call.args[0]);
  const uint64_t buffer = call.args[1];
  int64_t from = 0;
  int64_t to = 0;
  bool is_known = false;  // what the directory lists
  Listed listed = Listed::kNothing;
  while (from < size) {
    const uint64_t entry = buffer + static_cast<uint64_t>(from);
    uint16_t entry_size;
    if (!ReadGuest(&entry_size, entry + kEntrySize) || entry_size == 0) return size;
    const uint64_t name = entry + NameOffset(call.nr);
    int64_t number = 0;
    bool guarded = (!is_known || listed != Listed::kNothing) && NamesGuarded(process, name, &number);
    if (guarded && !is_known) {
      listed = ListedIn(process, fd);
      is_known = true;
    }
    guarded =
        guarded && (listed == Listed::kOwnFds || (listed == Listed::kOthersFds && IsOfSession(process, fd, number)));
    uint64_t ino;
    const bool hidden = guarded || (ReadGuest(&ino, entry) && IsEntryHidden(fd, ino, name));
    if (!hidden) {
      // SAFETY: getdents64 has just written these bytes; a guest that unmaps them meanwhile faults by itself.
      if (to != from && guise_copy(reinterpret_cast<void*>(buffer + static_cast<uint64_t>(to)),
                                   reinterpret_cast<const void*>(entry), entry_size) != 0) {
        return size;
      }
      to += entry_size;
    }
    from += entry_size;
  }
  return to;
}

}  // namespace

bool AnswerForFds(ThreadBlock* block, GuestCall* call, Outcome* outcome) {
  ProcessState& process = *block->process;
  switch (call->nr) {
    case Nr::close_range:
      // CLOSE_RANGE_UNSHARE with CLOEXEC and all others: the pieces between the guarded ones.
      *outcome = Outcome::Done(CloseRange(process, *call));
      return true;
    case Nr::dup2:
    case Nr::dup3: {
      const auto from = static_cast<int32_t>(call->args[0]);
      const auto to = static_cast<int32_t>(call->args[1]);
      if (from == to) break;
      if (IsGuarded(process, from)) return HideArgument(process, call, 0), false;
      if (!IsGuarded(process, to)) return false;
      // Done here and not by the session: the number must not be seen between the move and the call.
      const FdMove move;
      int64_t result = MoveAway(&process, to);
      if (!IsError(result)) {
        // Of two numbers that differ.
        result = Native(Nr::dup3, call->args[0], to, call->nr == Nr::dup3 ? call->args[2] : 0);
        if (IsError(result)) Native(Nr::close, to);
      }
      *outcome = Outcome::Done(result);
      return true;
    }
    case Nr::fcntl: {
      const auto command = static_cast<uint32_t>(call->args[1]);
      if (command == kDupfdQuery) HideArgument(process, call, 2);
      const bool duplicates = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
      if (!duplicates || IsGuarded(process, static_cast<int32_t>(call->args[0]))) break;
      *outcome = Outcome::Done(Duplicate(&process, *call));
      return true;
    }
    case Nr::pidfd_getfd:
      if (IsGuarded(process, static_cast<int32_t>(call->args[0]))) break;
      *outcome = Outcome::Done(Fetch(process, *call));
      return true;
    case Nr::kcmp:
      *outcome = Outcome::Done(Compare(process, *call));
      return true;
    default:
      break;
  }
  AnyArgument(LooksOf(call->nr).fds, [&](size_t i) { return HideArgument(process, call, i), false; });
  return false;
}

bool NeedsFilter(Nr nr) { return LooksOf(nr).Has(Look::kResult); }

int64_t PerformFiltered(ThreadBlock* block, const GuestCall& call) {
  if (call.nr == Nr::landlock_restrict_self) return RestrictSelf(block, call);
  while (true) {
    const int64_t size = Perform(call);
    if (IsError(size) || size == 0) return size;
    const int64_t left = Filter(*block->process, call, size);
    // An empty answer would mean the end of the directory.
    if (left != 0) return left;
  }
}

}  // namespace guise::shim
