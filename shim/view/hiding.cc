#include "shim/view/hiding.h"

#include <asm/stat.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "proto/wire/overlay.h"
#include "proto/wire/published.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/signal/interrupt.h"
#include "shim/view/open_flags.h"

namespace guise::shim {
namespace {

using syscall::ArgKind;
using syscall::Nr;

constexpr size_t kNoPath = 6;
constexpr uint64_t kReadOrWrite = 6;  // R_OK | W_OK

const wire::Hiding& Hiding() { return RootReply().hiding; }

bool Hides() {
  return Hiding().device.Relaxed() != 0 && (RootReply().published.flags.Relaxed() & wire::kHiddenIsAbsent) != 0;
}

// The first path of a call, by position: a second one is a new name. kNoPath: none, or one that the call makes.
size_t PathOf(const GuestCall& call) {
  switch (call.nr) {
    case Nr::mkdir:
    case Nr::mkdirat:
    case Nr::mknod:
    case Nr::mknodat:
    case Nr::symlink:
    case Nr::symlinkat:
      return kNoPath;
    default:
      break;
  }
  const syscall::Row* const row = syscall::Find(static_cast<uint32_t>(call.nr));
  if (row == nullptr || row->Has(syscall::Trait::CallerOnly)) return kNoPath;
  for (size_t i = 0; i < row->Arity(); ++i) {
    if (row->args[i].kind == ArgKind::Path) return i;
  }
  return kNoPath;
}

int32_t DirectoryOf(const GuestCall& call, size_t path) {
  const syscall::Row& row = *syscall::Find(static_cast<uint32_t>(call.nr));
  if (path > 0 && row.args[path - 1].kind == ArgKind::DirFd) return static_cast<int32_t>(call.args[path - 1]);
  return AT_FDCWD;
}

bool FollowsLink(const GuestCall& call) {
  uint64_t flags = 0;
  if (OpenFlags(call, &flags)) return (flags & O_NOFOLLOW) == 0;
  switch (call.nr) {
    case Nr::lstat:
    case Nr::readlink:
    case Nr::readlinkat:
    case Nr::unlink:
    case Nr::unlinkat:
    case Nr::rmdir:
    case Nr::rename:
    case Nr::renameat:
    case Nr::renameat2:
    case Nr::link:
    case Nr::linkat:
    case Nr::lchown:
    case Nr::lsetxattr:
    case Nr::lgetxattr:
    case Nr::llistxattr:
    case Nr::lremovexattr:
      return false;
    case Nr::statx:
      flags = call.args[2];
      break;
    case Nr::newfstatat:
    case Nr::utimensat:
    case Nr::faccessat2:
    case Nr::fchmodat2:
      flags = call.args[3];
      break;
    case Nr::fchownat:
      flags = call.args[4];
      break;
    default:
      break;
  }
  return (flags & AT_SYMLINK_NOFOLLOW) == 0;
}

bool NamesHidden(const GuestCall& call) {
  const size_t path = PathOf(call);
  return path != kNoPath && IsHidden(DirectoryOf(call, path), call.args[path], FollowsLink(call));
}

// Of the status that the call has written.
bool TellsOfHidden(uint64_t status_at) {
  decltype(stat::st_dev) device;
  return ReadGuest(&device, status_at + offsetof(struct stat, st_dev)) && device == Hiding().device.Relaxed();
}

// Whether a call has done what it can with something hidden: where it may without opening it.
bool HasMetHidden(const GuestCall& call, int64_t result) {
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
             wire::EncodeDev(device[0], device[1]) == Hiding().device.Relaxed();
    }
    // Reading and writing it is refused.
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
    case Nr::statfs:
    case Nr::name_to_handle_at:
    case Nr::listxattr:
    case Nr::llistxattr:
    case Nr::listxattrat:
      return NamesHidden(call);
    default:
      return false;
  }
}

// What the guest is told of a call that has been made.
int64_t Hide(const GuestCall& call, int64_t result) {
  uint64_t flags = 0;
  switch (result) {
    case -ENOENT:
    case -EFAULT:
    case -EINTR:
    case -EPERM:  // of those that are refused whatever they name
    case -ENOSYS:
    case kNotMade:
      return result;
    default:
      break;
  }
  if (IsError(result)) {
    // A file that cannot be made there is another matter.
    if (OpenFlags(call, &flags) && (flags & O_CREAT) != 0) return result;
    return NamesHidden(call) ? -ENOENT : result;
  }
  if (!HasMetHidden(call, result)) return result;
  if (OpenFlags(call, &flags)) Native(Nr::close, result);
  return -ENOENT;
}

}  // namespace

int64_t PerformHiding(ThreadBlock* block, const GuestCall& call) {
  // What it does could not be undone.
  if (call.nr == Nr::chdir && NamesHidden(call)) return -ENOENT;
  return Hide(call, HasTrait(call, syscall::Trait::MayBlock) ? PerformOpen(block, call) : Perform(call));
}

bool MayMeetHidden(const GuestCall& call) { return Hides() && PathOf(call) != kNoPath; }

bool IsHidden(const struct statx& status) {
  return Hides() && wire::EncodeDev(status.stx_dev_major, status.stx_dev_minor) == Hiding().device.Relaxed();
}

bool IsHidden(int32_t dir_fd, uint64_t path, bool follows) {
  if (!Hides()) return false;
  struct statx status;
  const uint64_t flags = AT_NO_AUTOMOUNT | AT_EMPTY_PATH | (follows ? 0 : AT_SYMLINK_NOFOLLOW);
  return !IsError(Native(Nr::statx, dir_fd, path, flags, STATX_TYPE, &status)) && IsHidden(status);
}

bool IsEntryHidden(int32_t dir_fd, uint64_t ino, uint64_t name) {
  if (!Hides()) return false;
  const uint32_t bit = wire::HidingBit(ino);
  if ((Hiding().inodes[bit / 64].Relaxed() >> (bit % 64) & 1) == 0) return false;
  return IsHidden(dir_fd, name, false);
}

}  // namespace guise::shim
