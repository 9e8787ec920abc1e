// The chown family. ABI: fs/open.c, chown_common(); fs/attr.c,
// chown_ok() and chgrp_ok() of Linux 6.18; chown(2).
//
// Two native calls on the guest's thread: statx tells which file it is; then a chown that keeps both owners (-1, -1)
// makes Linux do all of a chown but the change: it finds the file read-only or not changeable, clears set-user-ID and
// set-group-ID bits and file capabilities, sets the change time. Then the owner is kept by the session. On overlayfs
// the second call may copy the file up, which makes it another to the session: a third says which.
#include <fcntl.h>
#include <linux/xattr.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <optional>

#include "personalities/api/files.h"
#include "personalities/fakeroot/fakeroot.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::FileStatus;
using api::Identity;
using api::Nr;
using api::Owner;
using api::SysResult;
using api::SysResultOr;
using api::SysTask;
using api::Task;

namespace {

struct Wanted {
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
};

Wanted WantedOf(const Call& call, size_t first) { return {call.OptionalId(first), call.OptionalId(first + 1)}; }

// Set-user-ID and set-group-ID bits that a chown clears: that is a change of mode.
bool LosesBits(const Identity& caller, const FileStatus& file, const Owner& owner) {
  if (S_ISDIR(file.mode)) return false;
  if ((file.mode & S_ISUID) != 0) return true;
  return (file.mode & S_ISGID) != 0 && ((file.mode & S_IXGRP) != 0 || !caller.InGroup(owner.gid));
}

// Whether a change may make it another inode, as on overlayfs, which like tmpfs and btrfs has no block device.
bool MayMove(const api::Inode& inode) { return inode.device_major == 0; }

// Whether it is the same by all that a copy keeps.
bool IsCopy(const FileStatus& now, const FileStatus& before) {
  return (now.mode & S_IFMT) == (before.mode & S_IFMT) && now.native == before.native;
}

bool MayChange(const Identity& caller, const FileStatus& file, const Owner& owner, const Wanted& wanted) {
  if (file.IsProtected() && (wanted.uid.has_value() || wanted.gid.has_value())) return false;
  if (caller.May(CAP_CHOWN)) return true;
  const bool owns = caller.uid.filesystem == owner.uid;
  if (!owns && LosesBits(caller, file, owner)) return false;
  if (wanted.uid.has_value() && !(owns && *wanted.uid == owner.uid)) return false;
  return !wanted.gid.has_value() || (owns && (*wanted.gid == owner.gid || caller.InGroup(*wanted.gid)));
}

// Commits what is different from now on. The file was `file` before the native call.
Task<SysResult> Commit(Call& call, Argument directory, Argument path, int flags, FileStatus file, Wanted wanted) {
  const Owner owner = call.ShownOwner(file.inode, file.native);
  const Owner next = {wanted.uid.value_or(owner.uid), wanted.gid.value_or(owner.gid)};
  if (next == owner) co_return SysResult::Ok();
  if (MayMove(file.inode)) {
    const SysResultOr<FileStatus> now = co_await StatusOf(call, directory, path, flags);
    if (now.ok() && IsCopy(now.value(), file)) file = now.value();
  }
  call.Commit(api::SetOwner{file.inode, wanted.uid, wanted.gid, file.mode});
  co_return SysResult::Ok();
}

// Does of the change what Linux does. `keep`: the native call that changes nothing.
Task<SysResult> KeepOwner(Call& call, Below below, FileStatus file, Wanted wanted, Call keep) {
  const Owner owner = call.ShownOwner(file.inode, file.native);
  if (!MayChange(call.Credentials(), file, owner, wanted)) co_return SysResult::Error(EPERM);
  const SysResult kept = co_await below(keep);
  // EPERM: the bits cannot be cleared, for natively the file is another's. Its owner can still be pretended.
  if (!kept.ok() && (!kept.Is(EPERM) || file.IsProtected())) co_return kept;
  // Linux clears file capabilities whoever changes an owner, and to what: those that the session keeps, too.
  if (!S_ISDIR(file.mode) && call.AttributesOf(file.inode).Find(XATTR_NAME_CAPS).has_value()) {
    call.Commit(api::SetAttribute{file.inode, XATTR_NAME_CAPS, std::nullopt});
  }
  co_return SysResult::Ok();
}

Task<SysResult> ChownAt(Call& call, Below below, Argument directory, Argument path, Wanted wanted, int flags) {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) co_return SysResult::Error(EINVAL);
  const SysResultOr<FileStatus> file = co_await StatusOf(call, directory, path, flags);
  if (!file.ok()) co_return file.failure();
  const FileStatus status = file.value();
  const Call keep = call.As(Nr::fchownat, directory, path, -1, -1, flags);
  const SysResult kept = co_await KeepOwner(call, below, status, wanted, keep);
  if (!kept.ok()) co_return kept;
  const SysResult result = co_await Commit(call, directory, path, flags, status, wanted);
  co_return result;
}

}  // namespace

SysTask Fakeroot::Chown(Call& call, Below below) const {
  const Argument path = call.Forward(0);
  const Wanted wanted = WantedOf(call, 1);
  const Argument here = AT_FDCWD;
  const SysResult result = co_await ChownAt(call, below, here, path, wanted, 0);
  co_return result;
}

SysTask Fakeroot::Lchown(Call& call, Below below) const {
  const Argument path = call.Forward(0);
  const Wanted wanted = WantedOf(call, 1);
  const Argument here = AT_FDCWD;
  const SysResult result = co_await ChownAt(call, below, here, path, wanted, AT_SYMLINK_NOFOLLOW);
  co_return result;
}

SysTask Fakeroot::Fchown(Call& call, Below below) const {
  const Argument fd = call.Pass(0);
  const Wanted wanted = WantedOf(call, 1);
  // For statx a negative number may be AT_FDCWD.
  if (call.Arg<int>(0) < 0) co_return SysResult::Error(EBADF);
  const Argument empty = call.Put("");
  const SysResultOr<FileStatus> file = co_await StatusOf(call, fd, empty, AT_EMPTY_PATH);
  if (!file.ok()) co_return file.failure();
  const FileStatus status = file.value();
  // statx takes an O_PATH descriptor; fchown does not, whoever calls it.
  const SysResult open_flags = co_await call.Run(Nr::fcntl, fd, F_GETFL);
  if (!open_flags.ok()) co_return open_flags;
  if ((open_flags.value() & O_PATH) != 0) co_return SysResult::Error(EBADF);
  const Call keep = call.As(Nr::fchown, fd, -1, -1);
  const SysResult kept = co_await KeepOwner(call, below, status, wanted, keep);
  if (!kept.ok()) co_return kept;
  const SysResult result = co_await Commit(call, fd, empty, AT_EMPTY_PATH, status, wanted);
  co_return result;
}

SysTask Fakeroot::Fchownat(Call& call, Below below) const {
  const Argument directory = call.Pass(0);
  const Argument path = call.Forward(1);
  const Wanted wanted = WantedOf(call, 2);
  const int flags = call.Arg<int>(4);
  const SysResult result = co_await ChownAt(call, below, directory, path, wanted, flags);
  co_return result;
}

}  // namespace guise::personalities
