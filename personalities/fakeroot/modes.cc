// The chmod family: the rules for those who have given root's power up, and the bit that makes a directory hand its
// group down. ABI: fs/attr.c, setattr_prepare() and setattr_copy(); chmod(2).
//
// Of root nobody is asked before the session keeps the group of a directory, and then of set-group-ID bits alone.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "personalities/api/files.h"
#include "personalities/fakeroot/creation.h"
#include "personalities/fakeroot/fakeroot.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::FileStatus;
using api::Identity;
using api::Nr;
using api::Once;
using api::Owner;
using api::SysResult;
using api::SysResultOr;
using api::SysTask;

namespace {

// The file that a call is about, as StatusOf() takes it, and which argument is the mode.
struct Changed {
  Argument directory = AT_FDCWD;
  Argument path;
  int flags = 0;
  size_t mode_at = 1;
};

Changed ChangedBy(Call& call) {
  switch (call.nr()) {
    case Nr::chmod:
      return {AT_FDCWD, call.Forward(0), 0, 1};
    case Nr::fchmod:
      return {call.Pass(0), call.Put(""), AT_EMPTY_PATH, 1};
    case Nr::fchmodat:
      return {call.Pass(0), call.Forward(1), 0, 2};
    default:
      return {call.Pass(0), call.Forward(1), call.Arg<int>(3), 2};
  }
}

// For statx a negative number may be AT_FDCWD, and it knows more flags.
bool IsPlain(const Call& call, const Changed& changed) {
  if (call.nr() == Nr::fchmod) return call.Arg<int>(0) >= 0;
  return (changed.flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) == 0;
}

bool MayChangeMode(const Identity& caller, const Owner& owner) {
  return caller.uid.filesystem == owner.uid || caller.May(CAP_FOWNER);
}

bool MaySetGroupBit(const Identity& caller, const Owner& owner) {
  return caller.InGroup(owner.gid) || caller.May(CAP_FSETID);
}

// Of a directory with a kept group, which creation.cc gives to what is made in it from now on.
void NoteSetGroup(Call& call, const FileStatus& directory) {
  const Owner shown = call.ShownOwner(directory.inode, directory.native);
  // No file has this inode: the group that is shown where none is kept.
  const Owner own = call.ShownOwner(api::Inode{}, directory.native);
  if (shown.gid != own.gid) call.Commit(api::SetOwner{directory.inode, std::nullopt, shown.gid, directory.mode});
}

}  // namespace

SysTask Fakeroot::ChangeMode(Call& call, Below below) const {
  const bool may_all = call.Credentials().May(CAP_FOWNER) && call.Credentials().May(CAP_FSETID);
  const Changed changed = ChangedBy(call);
  const auto mode = call.Arg<uint32_t>(changed.mode_at);
  const bool sets_group = (mode & S_ISGID) != 0;
  if ((may_all && !sets_group) || !IsPlain(call, changed)) co_return below.Tail(call);
  Call change = call;
  if (!may_all) {
    const SysResultOr<FileStatus> file = co_await StatusOf(call, changed.directory, changed.path, changed.flags);
    // A link has no mode to change.
    if (!file.ok() || S_ISLNK(file->mode)) co_return below.Tail(call);
    const Owner owner = call.ShownOwner(file->inode, file->native);
    if (!MayChangeMode(call.Credentials(), owner)) {
      if (call.nr() != Nr::fchmod) co_return SysResult::Error(EPERM);
      // Of an O_PATH descriptor nobody changes the mode.
      const SysResult open_flags = co_await call.Run(Nr::fcntl, changed.directory, F_GETFL);
      co_return SysResult::Error(open_flags.ok() && (open_flags.value() & O_PATH) != 0 ? EBADF : EPERM);
    }
    if (sets_group && !MaySetGroupBit(call.Credentials(), owner)) change = call.With(changed.mode_at, mode & ~S_ISGID);
  }
  const SysResult result = co_await below(change);
  if (!result.ok() || !sets_group) co_return result;
  const SysResultOr<FileStatus> file = co_await StatusOf(call, changed.directory, changed.path, changed.flags);
  if (file.ok() && HandsGroupDown(file.value())) NoteSetGroup(call, file.value());
  co_return result;
}

void Fakeroot::ClaimModes(api::Claims& claims) const {
  const auto claim = [](api::Claims::OnceClaim chmod, uint8_t mode_at) {
    chmod.IfAny(mode_at, S_ISGID).AndAll(Once::kDiverged);
  };
  claim(claims.ServeOnce<Nr::chmod, &Fakeroot::ChangeMode>(Once::kGroupKept, *this), 1);
  claim(claims.ServeOnce<Nr::fchmod, &Fakeroot::ChangeMode>(Once::kGroupKept, *this), 1);
  claim(claims.ServeOnce<Nr::fchmodat, &Fakeroot::ChangeMode>(Once::kGroupKept, *this), 2);
  claim(claims.ServeOnce<Nr::fchmodat2, &Fakeroot::ChangeMode>(Once::kGroupKept, *this), 2);
}

}  // namespace guise::personalities
