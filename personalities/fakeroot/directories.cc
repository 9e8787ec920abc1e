// Who changes a directory, of those who have given root's power up: whom its kept owner and its mode allow, and in a
// sticky one the owners of what is taken away. To the kernel it is the session's user, who may more.
// ABI: fs/namei.c, may_create(), may_delete(), __check_sticky(), vfs_rename(), vfs_link().
//
// Refused is what the kernel would not have refused before for another reason, as far as it can be seen: who names
// nothing, or what is there already, is left to the kernel. Where the kernel refuses what is allowed here, it is
// refused.
//
// Nobody is asked before a process has changed its ids; from then on these calls are the server's.
#include "personalities/fakeroot/directories.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/xattr.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string_view>

#include "personalities/api/files.h"
#include "personalities/fakeroot/borrowing.h"
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
using api::Path;
using api::SysResult;
using api::SysResultOr;
using api::SysTask;
using api::Task;

namespace {

constexpr uint32_t kOwnerShift = 6, kGroupShift = 3;
constexpr uint32_t kEnter = 1, kChange = 2;

bool Owns(Call& call, const FileStatus& file) {
  return call.Credentials().uid.filesystem == call.ShownOwner(file.inode, file.native).uid;
}

// ABI: fs/namei.c, acl_permission_check().
bool ModeAllows(Call& call, const FileStatus& file, uint32_t wanted) {
  const Identity& caller = call.Credentials();
  if (caller.May(CAP_DAC_OVERRIDE)) return true;
  const Owner owner = call.ShownOwner(file.inode, file.native);
  uint32_t allowed = file.mode;
  if (caller.uid.filesystem == owner.uid) {
    allowed >>= kOwnerShift;
  } else if (caller.InGroup(owner.gid)) {
    allowed >>= kGroupShift;
  }
  return (wanted & ~allowed) == 0;
}

// Where there is an access control list, the mode's bits of the group are another thing.
Task<bool> HasAccessList(Call& call, Place directory) {
  const Argument name = (directory.flags & AT_EMPTY_PATH) != 0 ? call.Put(".") : directory.path;
  const Argument start = directory.start;
  const SysResult held = co_await call.Run(Nr::openat, start, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (!held.ok()) co_return false;
  const int fd = static_cast<int>(held.value());
  const Argument path = NameOfFd(call, fd);
  const Argument attribute = call.Put(XATTR_NAME_POSIX_ACL_ACCESS);
  const SysResult size = co_await call.Run(Nr::getxattr, path, attribute, 0, 0);
  [[maybe_unused]] const SysResult closed = co_await call.Run(Nr::close, fd);
  co_return size.ok();
}

// A directory that gets another parent is changed itself, for its `..`.
SysResult MayMove(Call& call, const FileStatus& moved, const FileStatus& from, const FileStatus& to) {
  const bool is_changed = S_ISDIR(moved.mode) && from.inode != to.inode;
  return is_changed && !ModeAllows(call, moved, kChange) ? SysResult::Error(EACCES) : SysResult::Ok();
}

// Whether the caller may change `directory`; `gone` is what is taken away, or replaced, there.
Task<SysResult> MayChange(Call& call, Place place, FileStatus directory, std::optional<FileStatus> gone) {
  if (!ModeAllows(call, directory, kEnter | kChange)) {
    if (Owns(call, directory)) co_return SysResult::Error(EACCES);
    const bool has_list = co_await HasAccessList(call, place);
    if (!has_list) co_return SysResult::Error(EACCES);
  }
  if (!gone.has_value() || (directory.mode & S_ISVTX) == 0) co_return SysResult::Ok();
  const bool may = Owns(call, directory) || Owns(call, *gone) || call.Credentials().May(CAP_FOWNER);
  co_return may ? SysResult::Ok() : SysResult::Error(EPERM);
}

// Whether the path ends in a name that can be made or taken away. With slashes behind it only directories can.
bool EndsInName(std::string_view path, bool is_directory) {
  const std::string_view whole = WithoutSlashes(path);
  const std::string_view name = whole.substr(whole.rfind('/') + 1);
  return !name.empty() && name != "." && name != ".." && (is_directory || whole.size() == path.size());
}

bool RemovesDirectory(const Call& call) {
  return call.nr() == Nr::rmdir || (call.nr() == Nr::unlinkat && (call.Arg<int>(2) & AT_REMOVEDIR) != 0);
}

unsigned RenameFlags(const Call& call) { return call.nr() == Nr::renameat2 ? call.Arg<unsigned>(4) : 0; }

// The second path of a call with two.
const PathUse& TargetOf(Nr nr) { return *(&NamingOf(nr) + 1); }

bool AreOnOneDevice(const FileStatus& a, const FileStatus& b) {
  return a.inode.device_major == b.inode.device_major && a.inode.device_minor == b.inode.device_minor;
}

Task<SysResult> MayRename(Call& call) {
  const PathUse& from = NamingOf(call.nr());
  const PathUse& to = TargetOf(call.nr());
  const Place place = EntryBy(call, from);
  const SysResultOr<FileStatus> moved = co_await StatusOf(call, place);
  if (!moved.ok()) co_return SysResult::Ok();
  const bool is_directory = S_ISDIR(moved->mode);
  const bool exchanges = (RenameFlags(call) & RENAME_EXCHANGE) != 0;
  if (!EndsInName(call.Arg<Path>(from.at).text, is_directory)) co_return SysResult::Ok();
  if (!EndsInName(call.Arg<Path>(to.at).text, is_directory || exchanges)) co_return SysResult::Ok();
  const Place target = EntryBy(call, to);
  const SysResultOr<FileStatus> there = co_await StatusOf(call, target);
  // One that is there already, the same file by another name, and none to exchange with.
  const bool is_last = there.ok() ? (RenameFlags(call) & RENAME_NOREPLACE) != 0 || there->inode == moved->inode
                                  : exchanges || !there.failure().Is(ENOENT);
  if (is_last) co_return SysResult::Ok();
  const Place from_place = ParentBy(call, from), to_place = ParentBy(call, to);
  const SysResultOr<FileStatus> from_directory = co_await StatusOf(call, from_place);
  const SysResultOr<FileStatus> to_directory = co_await StatusOf(call, to_place);
  // EXDEV comes first.
  if (!from_directory.ok() || !to_directory.ok() || !AreOnOneDevice(from_directory.value(), to_directory.value())) {
    co_return SysResult::Ok();
  }
  const FileStatus from_status = from_directory.value(), to_status = to_directory.value();
  const std::optional<FileStatus> gone = moved.value();
  const SysResult source = co_await MayChange(call, from_place, from_status, gone);
  if (!source.ok()) co_return source;
  std::optional<FileStatus> replaced;
  if (there.ok()) replaced = there.value();
  const SysResult destination = co_await MayChange(call, to_place, to_status, replaced);
  if (!destination.ok()) co_return destination;
  const SysResult moves = MayMove(call, moved.value(), from_status, to_status);
  if (!moves.ok() || !exchanges) co_return moves;
  co_return MayMove(call, there.value(), from_status, to_status);
}

Task<SysResult> MayLink(Call& call) {
  const PathUse& from = NamingOf(call.nr());
  const PathUse& to = TargetOf(call.nr());
  const int flags = call.nr() == Nr::linkat ? call.Arg<int>(4) : 0;
  const int follows = (flags & AT_SYMLINK_FOLLOW) != 0 ? 0 : AT_SYMLINK_NOFOLLOW;
  const Place linked = NamedBy(call, from, follows | (flags & AT_EMPTY_PATH));
  const Place parent = ParentBy(call, to);
  const SysResultOr<FileStatus> file = co_await StatusOf(call, linked);
  const SysResultOr<FileStatus> directory = co_await StatusOf(call, parent);
  if (!file.ok() || !directory.ok() || !AreOnOneDevice(file.value(), directory.value())) co_return SysResult::Ok();
  const Place entry = EntryBy(call, to);
  const std::string_view path = call.Arg<Path>(to.at).text;
  const SysResult may = co_await MayMake(call, path, entry, parent);
  co_return may;
}

}  // namespace

bool MayChangeAll(Call& call) { return call.Credentials().May(CAP_DAC_OVERRIDE) && call.Credentials().May(CAP_FOWNER); }

Task<SysResult> MayMakeIn(Call& call, Place directory) {
  if (MayChangeAll(call)) co_return SysResult::Ok();
  const SysResultOr<FileStatus> status = co_await StatusOf(call, directory);
  if (!status.ok()) co_return SysResult::Ok();
  const FileStatus known = status.value();
  const std::optional<FileStatus> nothing;
  const SysResult may = co_await MayChange(call, directory, known, nothing);
  co_return may;
}

Task<SysResult> MayMake(Call& call, std::string_view path, Place entry, Place parent) {
  const bool is_directory = call.nr() == Nr::mkdir || call.nr() == Nr::mkdirat;
  if (MayChangeAll(call) || !EndsInName(path, is_directory)) co_return SysResult::Ok();
  const SysResultOr<FileStatus> there = co_await StatusOf(call, entry);
  if (there.ok() || !there.failure().Is(ENOENT)) co_return SysResult::Ok();
  const SysResult may = co_await MayMakeIn(call, parent);
  co_return may;
}

SysTask Fakeroot::Remove(Call& call, Below below) const {
  const PathUse& naming = NamingOf(call.nr());
  if (MayChangeAll(call) || !EndsInName(call.Arg<Path>(naming.at).text, RemovesDirectory(call))) {
    co_return below.Tail(call);
  }
  const Place entry = EntryBy(call, naming);
  const SysResultOr<FileStatus> there = co_await StatusOf(call, entry);
  if (!there.ok()) co_return below.Tail(call);
  const Place parent = ParentBy(call, naming);
  const SysResultOr<FileStatus> directory = co_await StatusOf(call, parent);
  if (!directory.ok()) co_return below.Tail(call);
  const FileStatus known = directory.value();
  const std::optional<FileStatus> gone = there.value();
  const SysResult may = co_await MayChange(call, parent, known, gone);
  if (!may.ok()) co_return may;
  co_return below.Tail(call);
}

SysTask Fakeroot::Rename(Call& call, Below below) const {
  if (MayChangeAll(call)) co_return below.Tail(call);
  const SysResult may = co_await MayRename(call);
  if (!may.ok()) co_return may;
  co_return below.Tail(call);
}

SysTask Fakeroot::MakeLink(Call& call, Below below) const {
  if (MayChangeAll(call)) co_return below.Tail(call);
  const SysResult may = co_await MayLink(call);
  if (!may.ok()) co_return may;
  co_return below.Tail(call);
}

void Fakeroot::ClaimDirectories(api::Claims& claims) const {
  claims.ServeOnce<Nr::unlink, &Fakeroot::Remove>(Once::kDiverged, *this);
  claims.ServeOnce<Nr::unlinkat, &Fakeroot::Remove>(Once::kDiverged, *this);
  claims.ServeOnce<Nr::rmdir, &Fakeroot::Remove>(Once::kDiverged, *this);
  claims.ServeOnce<Nr::rename, &Fakeroot::Rename>(Once::kDiverged, *this);
  claims.ServeOnce<Nr::renameat, &Fakeroot::Rename>(Once::kDiverged, *this);
  claims.ServeOnce<Nr::renameat2, &Fakeroot::Rename>(Once::kDiverged, *this);
  claims.ServeOnce<Nr::link, &Fakeroot::MakeLink>(Once::kDiverged, *this);
  claims.ServeOnce<Nr::linkat, &Fakeroot::MakeLink>(Once::kDiverged, *this);
}

}  // namespace guise::personalities
