#include "shim/view/hiding.h"

#include <asm/stat.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <linux/un.h>

#include "proto/wire/overlay.h"
#include "proto/wire/published.h"
#include "shim/gate/looks.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/signal/interrupt.h"
#include "shim/view/hidden_path.h"
#include "shim/view/open_flags.h"
#include "shim/view/path_use.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using syscall::Trait;

// What the calls of a number have to do with paths: a byte, for the calls that have nothing.
constexpr uint8_t kPathMask = 7;  // the position of the first path, plus one; 0: there is none
constexpr uint8_t kTwoPaths = 1 << 3;
constexpr uint8_t kAddress = 1 << 4;  // a socket's, which may be a path
constexpr uint8_t kMayBlock = 1 << 5;

struct Uses {
  uint8_t of[syscall::kNumbers] = {};
};

constexpr Uses MakeUses() {
  Uses uses;
  for (const syscall::Row& row : syscall::kTable) {
    uint8_t& use = uses.of[static_cast<uint32_t>(row.nr)];
    if (HasAddress(row.nr)) {
      use = kAddress;
    } else {
      // execveat(2) may only ask.
      if (row.Has(Trait::CallerOnly) && row.nr != Nr::execveat) continue;
      const size_t first = NextPath(row, 0);
      if (first == syscall::kMaxArgs) continue;
      use = static_cast<uint8_t>(first + 1);
      if (NextPath(row, first + 1) != syscall::kMaxArgs) use |= kTwoPaths;
    }
    if (row.Has(Trait::MayBlock)) use |= kMayBlock;
  }
  return uses;
}
constexpr Uses kUses = MakeUses();

uint8_t UseOf(const GuestCall& call) {
  const auto nr = static_cast<uint32_t>(call.nr);
  return nr < syscall::kNumbers ? kUses.of[nr] : 0;
}

// ABI: fs/namei.c: with a slash behind a name that is not there, only directories are made.
bool MakesDirectory(const GuestCall& call, const syscall::Row& row) {
  switch (call.nr) {
    case Nr::mkdir:
    case Nr::mkdirat:
      return true;
    case Nr::rename:
    case Nr::renameat:
    case Nr::renameat2: {
      const PathUse from = UseOfPath(call, row, NextPath(row, 0));
      struct statx status;
      constexpr uint32_t kTypeMask = 0170000;   // S_IFMT
      constexpr uint32_t kDirectory = 0040000;  // S_IFDIR
      return !IsError(
                 Native(Nr::statx, from.directory, call.args[from.at], AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status)) &&
             (status.stx_mode & kTypeMask) == kDirectory;
    }
    default:
      return false;
  }
}

// What a call is told whose new name is a hidden one's, in a directory where it might be made. It cannot be: not as a
// name that is taken, which is not so, but as one that a policy keeps from being made. ABI: as Landlock says it.
int64_t CannotBeMade(int64_t result) {
  switch (result) {
    case -EEXIST:
    case -EADDRINUSE:
    case -EBUSY:
    case -EISDIR:
    case -ENOTDIR:
    case -ENOTEMPTY:
    case -EROFS:
    case -ETXTBSY:
      return -EACCES;
    default:
      return result;
  }
}

// What the kernel says to the call of names that are not there, in the place of those that are hidden; `result` where
// the call meets none. By itself it makes nothing.
[[gnu::noinline]] int64_t AsIfAbsent(const GuestCall& call, int64_t result) {
  const syscall::Row& row = *syscall::Find(static_cast<uint32_t>(call.nr));
  HiddenPath paths[2];
  size_t at[2] = {NextPath(row, 0), syscall::kMaxArgs};
  if (at[0] < syscall::kMaxArgs) at[1] = NextPath(row, at[0] + 1);
  bool meets[2] = {};
  HiddenPath* made = nullptr;
  bool is_missed = false;  // something without which the call does nothing
  for (size_t i = 0; i < 2 && at[i] < syscall::kMaxArgs; ++i) {
    const PathUse use = UseOfPath(call, row, at[i]);
    meets[i] = paths[i].Meets(use.directory, call.args[at[i]], use.link);
    if (!meets[i]) continue;
    if (use.makes && paths[i].IsLast() && (!paths[i].EndsWithSlash() || MakesDirectory(call, row))) {
      made = &paths[i];
    } else {
      is_missed = true;
    }
  }
  if (made != nullptr && !is_missed && !made->IsReadOnly()) return CannotBeMade(result);
  if (made == nullptr && !is_missed) return result;
  GuestCall instead = call;
  for (size_t i = 0; i < 2; ++i) {
    if (!meets[i]) continue;
    const char* const absent = paths[i].Absent();
    if (absent == nullptr) return -ENOENT;
    instead.args[at[i]] = Word(absent);
  }
  return Perform(instead);
}

// Where a call's address is, and its size.
struct AddressPlace {
  uint64_t at;
  uint32_t size;
};

AddressPlace PlaceOfAddress(const GuestCall& call) {
  switch (call.nr) {
    case Nr::connect:
    case Nr::bind:
      return {call.args[1], static_cast<uint32_t>(call.args[2])};
    case Nr::sendto:
      return {call.args[4], static_cast<uint32_t>(call.args[5])};
    default: {
      // ABI: struct msghdr begins with both, and so does mmsghdr, with a message. What fails is the first one.
      struct {
        uint64_t name;
        uint32_t size;
      } head;
      if (call.args[1] == 0 || !ReadGuest(&head, call.args[1])) return {};
      return {head.name, head.size};
    }
  }
}

// Whether a call has a unix socket's address that is a path. ABI: unix(7): one of no name is shorter, and abstract ones
// begin with NUL.
bool HasPathAddress(const GuestCall& call) {
  constexpr size_t kHead = offsetof(sockaddr_un, sun_path);
  const AddressPlace place = PlaceOfAddress(call);
  if (place.at == 0 || place.size <= kHead || place.size > sizeof(sockaddr_un)) return false;
  struct {
    uint16_t family;
    char first;
  } head;
  static_assert(offsetof(decltype(head), first) == kHead);
  constexpr uint16_t kUnix = 1;  // AF_UNIX
  return ReadGuest(&head, place.at, kHead + 1) && head.family == kUnix && head.first != 0;
}

[[gnu::noinline]] int64_t HideAddress(const GuestCall& call, int64_t result) {
  switch (result) {
    case -EACCES:
    case -ECONNREFUSED:
    case -ENOTDIR:
    case -EROFS:
    case -EADDRINUSE:
    case -EPROTOTYPE:
      break;
    default:
      return result;
  }
  const AddressPlace place = PlaceOfAddress(call);
  sockaddr_un address = {};
  char path[sizeof(address.sun_path) + 1] = {};
  if (place.size > sizeof(address) || !ReadGuest(&address, place.at, place.size)) return result;
  memcpy(path, address.sun_path, sizeof(address.sun_path));
  const bool makes = call.nr == Nr::bind;
  HiddenPath met;
  if (!met.Meets(AT_FDCWD, Word(path), makes ? LastLink::kNeither : LastLink::kFollowed)) return result;
  if (!makes || !met.IsLast() || met.EndsWithSlash()) return -ENOENT;
  return met.IsReadOnly() ? -EROFS : CannotBeMade(result);
}

bool NamesHidden(const GuestCall& call) {
  const syscall::Row& row = *syscall::Find(static_cast<uint32_t>(call.nr));
  const PathUse use = UseOfPath(call, row, NextPath(row, 0));
  return IsHidden(use.directory, call.args[use.at], use.link == LastLink::kFollowed);
}

// Whether a path of the call leads through a hidden directory and back.
[[gnu::noinline]] bool LeadsThroughHidden(const GuestCall& call) {
  const syscall::Row& row = *syscall::Find(static_cast<uint32_t>(call.nr));
  for (size_t at = NextPath(row, 0); at < syscall::kMaxArgs; at = NextPath(row, at + 1)) {
    if (GoesThroughHidden(UseOfPath(call, row, at).directory, call.args[at])) return true;
  }
  return false;
}

bool HasTwoDots(uint64_t path) { return path != 0 && guise_has_two_dots(reinterpret_cast<const char*>(path)) == 1; }

// Whether it may: nearly no path has dots.
bool MayLeadThroughHidden(const GuestCall& call, uint8_t use) {
  const size_t first = (use & kPathMask) - size_t{1};
  if (HasTwoDots(call.args[first])) return true;
  if ((use & kTwoPaths) == 0) return false;
  return HasTwoDots(call.args[NextPath(*syscall::Find(static_cast<uint32_t>(call.nr)), first + 1)]);
}

// Of the status that the call has written.
bool TellsOfHidden(uint64_t status_at) {
  decltype(stat::st_dev) device;
  return ReadGuest(&device, status_at + offsetof(struct stat, st_dev)) && device == RootReply().hiding.device.Relaxed();
}

// Whether a call has done what it can with something hidden: where it may without opening it.
bool HasMetHidden(const GuestCall& call, int64_t result) {
  constexpr uint64_t kReadOrWrite = 6;  // R_OK | W_OK: refused
  uint64_t flags = 0;
  switch (call.nr) {
    case Nr::stat:
    case Nr::lstat:
      return TellsOfHidden(call.args[1]);
    case Nr::newfstatat:
      return TellsOfHidden(call.args[2]);
    case Nr::statx: {
      uint32_t device[2];  // major and minor
      static_assert(offsetof(struct statx, stx_dev_minor) == offsetof(struct statx, stx_dev_major) + 4);
      return ReadGuest(&device, call.args[4] + offsetof(struct statx, stx_dev_major)) &&
             wire::EncodeDev(device[0], device[1]) == RootReply().hiding.device.Relaxed();
    }
    case Nr::access:
      return (call.args[1] & kReadOrWrite) == 0 && NamesHidden(call);
    case Nr::faccessat:
    case Nr::faccessat2:
      return (call.args[2] & kReadOrWrite) == 0 && NamesHidden(call);
    case Nr::open:
    case Nr::openat:
    case Nr::openat2:
      if (!OpenFlags(call, &flags) || (flags & O_PATH) == 0) return false;
      return IsHidden(static_cast<int32_t>(result), Word(""), true);
    // ABI: vfs_rename(): a name that becomes itself, even of what cannot be moved.
    case Nr::rename:
    case Nr::renameat:
    case Nr::renameat2:
    case Nr::statfs:
    case Nr::name_to_handle_at:
    case Nr::getxattr:
    case Nr::lgetxattr:
    case Nr::getxattrat:
    case Nr::listxattr:
    case Nr::llistxattr:
    case Nr::listxattrat:
    case Nr::file_getattr:
      return NamesHidden(call);
    default:
      return false;
  }
}

// What the guest is told of a call that has been made.
int64_t Hide(const GuestCall& call, int64_t result) {
  switch (result) {
    case -ENOENT:
    case -EINTR:
    case -ENOSYS:
    case kNotMade:
      return result;
    case -EINVAL:
      // No link, as realpath(3) is told of nearly each name: what is hidden is none.
      if (call.nr == Nr::readlink && !MayEndHidden(call.args[0])) return result;
      if (call.nr == Nr::readlinkat && !MayEndHidden(call.args[1])) return result;
      break;
    default:
      break;
  }
  if (!IsError(result)) {
    if (!HasMetHidden(call, result)) return result;
    uint64_t flags = 0;
    if (OpenFlags(call, &flags)) Native(Nr::close, result);
  }
  return AsIfAbsent(call, result);
}

}  // namespace

bool Hides() {
  const wire::ReplyGroup& root = RootReply();
  return root.hiding.device.Relaxed() != 0 && (root.published.flags.Relaxed() & wire::kHiddenIsAbsent) != 0;
}

bool MayMeetHidden(const GuestCall& call) {
  const uint8_t use = UseOf(call);
  if (use == 0 || !Hides()) return false;
  return (use & kAddress) == 0 || HasPathAddress(call);
}

int64_t PerformHiding(ThreadBlock* block, const GuestCall& call) {
  const uint8_t use = UseOf(call);
  const bool is_address = (use & kAddress) != 0;
  // What these do could not be undone.
  if (!is_address && MayLeadThroughHidden(call, use) && LeadsThroughHidden(call)) return AsIfAbsent(call, -ENOENT);
  if (call.nr == Nr::chdir && NamesHidden(call)) return AsIfAbsent(call, -ENOENT);
  const int64_t result = (use & kMayBlock) != 0 ? PerformOpen(block, call) : Perform(call);
  return is_address ? HideAddress(call, result) : Hide(call, result);
}

bool LeadsToHidden(int32_t dir_fd, uint64_t path, bool follows) {
  if (!Hides()) return false;
  HiddenPath met;
  return met.Meets(dir_fd, path, follows ? LastLink::kFollowed : LastLink::kTaken);
}

bool LeadsThroughHidden(int32_t dir_fd, uint64_t path) {
  return Hides() && HasTwoDots(path) && GoesThroughHidden(dir_fd, path);
}

bool IsEntryHidden(int32_t dir_fd, uint64_t ino, uint64_t name) {
  if (!Hides()) return false;
  const uint32_t bit = wire::HidingBit(ino);
  if ((RootReply().hiding.inodes[bit / 64].Relaxed() >> (bit % 64) & 1) == 0) return false;
  return IsHidden(dir_fd, name, false);
}

}  // namespace guise::shim
