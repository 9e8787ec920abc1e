#include "shim/view/path_use.h"

#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/inotify.h>

#include "shim/view/open_flags.h"

namespace guise::shim {
namespace {

using syscall::ArgKind;
using syscall::Nr;

bool FollowsLink(const GuestCall& call) {
  uint64_t flags = 0;
  switch (call.nr) {
    case Nr::lstat:
    case Nr::readlink:
    case Nr::readlinkat:
    case Nr::link:
    case Nr::lchown:
    case Nr::lsetxattr:
    case Nr::lgetxattr:
    case Nr::llistxattr:
    case Nr::lremovexattr:
      return false;
    case Nr::linkat:
    case Nr::name_to_handle_at:
      return (call.args[4] & AT_SYMLINK_FOLLOW) != 0;
    case Nr::inotify_add_watch:
      return (call.args[2] & IN_DONT_FOLLOW) == 0;
    case Nr::umount2: {
      constexpr uint64_t kNoFollow = 8;  // UMOUNT_NOFOLLOW
      return (call.args[1] & kNoFollow) == 0;
    }
    case Nr::fspick: {
      constexpr uint64_t kNoFollow = 2;  // FSPICK_SYMLINK_NOFOLLOW
      return (call.args[2] & kNoFollow) == 0;
    }
    case Nr::fanotify_mark: {
      constexpr uint64_t kDontFollow = 4;  // FAN_MARK_DONT_FOLLOW
      return (call.args[1] & kDontFollow) == 0;
    }
    case Nr::statx:
    case Nr::setxattrat:
    case Nr::getxattrat:
    case Nr::listxattrat:
    case Nr::removexattrat:
    case Nr::open_tree:
    case Nr::open_tree_attr:
    case Nr::mount_setattr:
      flags = call.args[2];
      break;
    case Nr::newfstatat:
    case Nr::utimensat:
    case Nr::faccessat2:
    case Nr::fchmodat2:
      flags = call.args[3];
      break;
    case Nr::fchownat:
    case Nr::execveat:
    case Nr::file_getattr:
    case Nr::file_setattr:
      flags = call.args[4];
      break;
    default:
      break;
  }
  return (flags & AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

PathUse UseOfPath(const GuestCall& call, const syscall::Row& row, size_t at) {
  PathUse use = {.at = at, .directory = AT_FDCWD, .link = LastLink::kFollowed, .makes = false};
  if (at > 0 && row.args[at - 1].kind == ArgKind::DirFd) use.directory = static_cast<int32_t>(call.args[at - 1]);
  const bool is_first = NextPath(row, 0) == at;
  uint64_t flags = 0;
  if (OpenFlags(call, &flags)) {
    // ABI: fs/open.c, build_open_flags(): with O_PATH nothing is made.
    use.makes = (flags & O_CREAT) != 0 && (flags & O_PATH) == 0;
    if (use.makes && (flags & O_EXCL) != 0) {
      use.link = LastLink::kNeither;
    } else if ((flags & O_NOFOLLOW) != 0) {
      use.link = LastLink::kTaken;
    }
    return use;
  }
  switch (call.nr) {
    case Nr::move_mount: {
      constexpr uint64_t kFollowFrom = 1;   // MOVE_MOUNT_F_SYMLINKS
      constexpr uint64_t kFollowTo = 0x10;  // MOVE_MOUNT_T_SYMLINKS
      if ((call.args[4] & (is_first ? kFollowFrom : kFollowTo)) == 0) use.link = LastLink::kTaken;
      return use;
    }
    case Nr::creat:
      use.makes = true;
      return use;
    case Nr::mkdir:
    case Nr::mkdirat:
    case Nr::mknod:
    case Nr::mknodat:
    case Nr::symlink:
    case Nr::symlinkat:
      use.link = LastLink::kNeither;
      use.makes = true;
      return use;
    case Nr::unlink:
    case Nr::unlinkat:
    case Nr::rmdir:
      use.link = LastLink::kNeither;
      return use;
    case Nr::rename:
    case Nr::renameat:
    case Nr::renameat2:
      use.link = LastLink::kNeither;
      use.makes = !is_first && (call.nr != Nr::renameat2 || (call.args[4] & RENAME_EXCHANGE) == 0);
      return use;
    case Nr::link:
    case Nr::linkat:
      if (!is_first) {
        use.link = LastLink::kNeither;
        use.makes = true;
        return use;
      }
      break;
    default:
      break;
  }
  if (!FollowsLink(call)) use.link = LastLink::kTaken;
  return use;
}

}  // namespace guise::shim
