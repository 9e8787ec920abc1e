// Who owns what a call makes: the filesystem ids of its maker, and in a set-group-ID directory the directory's group.
// ABI: fs/inode.c, inode_init_owner().
//
// Natively it is the session's user, whose files are shown as root's; and the directory's group, where that is not
// another to guests. So nobody is asked before a process has changed its ids, or there is a set-group-ID directory
// whose group the session keeps. From then on calls that make files come here, beneath the attempts: the call is made,
// then the directory and what has been made are looked at, and the owner is kept.
//
// open(2) tells by its flags whether it may make a file, and not whether it has: it is made with O_EXCL first, which
// fails where there is one.
#include "personalities/fakeroot/creation.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "personalities/api/files.h"
#include "personalities/fakeroot/borrowing.h"
#include "personalities/fakeroot/directories.h"
#include "personalities/fakeroot/fakeroot.h"
#include "personalities/fakeroot/path_uses.h"
#include "personalities/fakeroot/places.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Bytes;
using api::Call;
using api::FileStatus;
using api::Identity;
using api::Nr;
using api::Owner;
using api::Path;
using api::Room;
using api::SysResult;
using api::SysResultOr;
using api::SysTask;
using api::Task;

namespace {

// The bit of O_TMPFILE that no other flag has. ABI: include/uapi/asm-generic/fcntl.h, __O_TMPFILE.
constexpr int kUnnamed = O_TMPFILE & ~O_DIRECTORY;

Place OpenedAs(Call& call, SysResult fd) { return {static_cast<int>(fd.value()), call.Put(""), AT_EMPTY_PATH}; }

// Who owns what the caller makes there.
Owner OwnerIn(Call& call, const FileStatus& directory) {
  const Identity& maker = call.Credentials();
  if (!HandsGroupDown(directory)) return {maker.uid.filesystem, maker.gid.filesystem};
  return {maker.uid.filesystem, call.ShownOwner(directory.inode, directory.native).gid};
}

void Keep(Call& call, const FileStatus& made, const Owner& owner) {
  const Owner shown = call.ShownOwner(made.inode, made.native);
  if (shown == owner) return;
  call.Commit(api::SetOwner{made.inode, owner.uid, owner.gid, made.mode});
}

// What is made by now, in a directory. It is there, whatever is found out of it: no error.
Task<SysResult> KeepOwner(Call& call, Place made, Place parent) {
  const SysResultOr<FileStatus> directory = co_await StatusOf(call, parent);
  if (!directory.ok()) co_return SysResult::Ok();
  const Owner owner = OwnerIn(call, directory.value());
  // As it is shown without our doing.
  if (owner == Owner{0, 0} && !HandsGroupDown(directory.value())) co_return SysResult::Ok();
  const SysResultOr<FileStatus> file = co_await StatusOf(call, made);
  if (file.ok()) Keep(call, file.value(), owner);
  co_return SysResult::Ok();
}

// --- open(2) and its kin

// With flags 0 where it is not one that is known here.
open_how HowOf(const Call& call) {
  open_how how = {};
  const std::string_view bytes = call.Arg<Bytes>(2).data;
  if (bytes.size() < sizeof(how) || bytes.size() != call.Arg<uint64_t>(3)) return how;
  if (bytes.find_first_not_of('\0', sizeof(how)) != std::string_view::npos) return how;
  std::memcpy(&how, bytes.data(), sizeof(how));
  return how;
}

int FlagsOf(const Call& call) {
  switch (call.nr()) {
    case Nr::creat:
      return O_CREAT | O_WRONLY | O_TRUNC;
    case Nr::open:
      return call.Arg<int>(1);
    case Nr::openat:
      return call.Arg<int>(2);
    default:
      return static_cast<int>(HowOf(call).flags);
  }
}

bool MayMakeFile(int flags) { return (flags & (O_CREAT | kUnnamed)) != 0 && (flags & O_PATH) == 0; }

// The same call, of a file that is not there yet.
Call Exclusive(Call& call) {
  const int flags = FlagsOf(call) | O_EXCL;
  switch (call.nr()) {
    case Nr::creat:
      return call.As(Nr::openat, AT_FDCWD, call.Pass(0), flags, call.Pass(1));
    case Nr::open:
      return call.With(1, flags);
    case Nr::openat:
      return call.With(2, flags);
    default: {
      open_how how = HowOf(call);
      how.flags |= O_EXCL;
      return call.With(2, call.Put({reinterpret_cast<const char*>(&how), sizeof(how)})).With(3, sizeof(how));
    }
  }
}

// Whether the caller may have the file that is not there yet.
Task<SysResult> MayOpenNew(Call& call, const PathUse& naming, Place named, Place parent) {
  const std::string_view path = call.Arg<Path>(naming.at).text;
  const bool is_unnamed = (FlagsOf(call) & kUnnamed) != 0;
  const Place entry = {named.start, named.path, AT_SYMLINK_NOFOLLOW};
  if (is_unnamed) {
    const SysResult unnamed = co_await MayMakeIn(call, parent);
    co_return unnamed;
  }
  const SysResult may = co_await MayMake(call, path, entry, parent);
  co_return may;
}

struct Link {
  char target[4096];
};

Place ParentOfTarget(Call& call, Room<Link> room, size_t size) {
  const Link link = call.Read(room);
  return ParentOf(call, AT_FDCWD, {link.target, std::min(size, sizeof(link.target))});
}

// What was made where a symbolic link leads, which is not where the call's path does.
Task<SysResult> KeepOwnerOfTarget(Call& call, SysResult fd) {
  const Place made = OpenedAs(call, fd);
  const Argument name = NameOfFd(call, static_cast<int>(fd.value()));
  const Room<Link> room = call.MakeRoom<Link>();
  const SysResult size = co_await call.Run(Nr::readlinkat, AT_FDCWD, name, room, sizeof(Link));
  if (!size.ok()) co_return SysResult::Ok();
  const Place parent = ParentOfTarget(call, room, size.value());
  const SysResult kept = co_await KeepOwner(call, made, parent);
  co_return kept;
}

// --- bind(2)

// Empty: the socket gets no name in a directory. ABI: net/unix/af_unix.c, unix_bind().
std::string_view SocketPathOf(const Call& call) {
  const std::string_view address = call.Arg<Bytes>(1).data;
  constexpr size_t kBegin = offsetof(sockaddr_un, sun_path);
  sa_family_t family = AF_UNSPEC;
  if (address.size() <= kBegin) return {};
  std::memcpy(&family, address.data(), sizeof(family));
  if (family != AF_UNIX) return {};
  return address.substr(kBegin, std::min(address.find('\0', kBegin), address.size()) - kBegin);
}

}  // namespace

bool HandsGroupDown(const FileStatus& file) { return S_ISDIR(file.mode) && (file.mode & S_ISGID) != 0; }

bool GivesOwners(Call& call) {
  const Identity& maker = call.Credentials();
  return maker.uid.filesystem != 0 || maker.gid.filesystem != 0 || call.GroupsAreInherited();
}

bool MayCreate(const Call& call) {
  switch (call.nr()) {
    case Nr::open:
    case Nr::openat:
    case Nr::openat2:
    case Nr::creat:
      return MayMakeFile(FlagsOf(call));
    case Nr::mkdir:
    case Nr::mkdirat:
    case Nr::mknod:
    case Nr::mknodat:
    case Nr::symlink:
    case Nr::symlinkat:
      return true;
    default:
      return false;
  }
}

SysTask Fakeroot::Create(Call& call, Below below) const {
  if (MayChangeAll(call) && !GivesOwners(call)) co_return below.Tail(call);
  const PathUse& naming = NamingOf(call.nr());
  const Place made = NamedBy(call, naming, AT_SYMLINK_NOFOLLOW);
  const Place parent = ParentBy(call, naming);
  const std::string_view path = call.Arg<Path>(naming.at).text;
  const SysResult may = co_await MayMake(call, path, made, parent);
  if (!may.ok()) co_return may;
  const SysResult result = co_await below(call);
  if (!result.ok()) co_return result;
  [[maybe_unused]] const SysResult kept = co_await KeepOwner(call, made, parent);
  co_return result;
}

SysTask Fakeroot::CreateByOpen(Call& call, Below below) const {
  const int flags = FlagsOf(call);
  if (!MayMakeFile(flags) || (MayChangeAll(call) && !GivesOwners(call))) co_return below.Tail(call);
  const PathUse& naming = NamingOf(call.nr());
  const bool is_unnamed = (flags & kUnnamed) != 0;
  const Place named = NamedBy(call, naming, 0);
  // An unnamed file is in the directory that the path names.
  const Place parent = is_unnamed ? named : ParentBy(call, naming);
  const SysResult may = co_await MayOpenNew(call, naming, named, parent);
  if (!may.ok()) co_return may;
  const bool is_new = is_unnamed || (flags & O_EXCL) != 0;
  const Call first = is_new ? call : Exclusive(call);
  const SysResult fd = co_await below(first);
  if (fd.ok()) {
    const Place made = OpenedAs(call, fd);
    [[maybe_unused]] const SysResult kept = co_await KeepOwner(call, made, parent);
    co_return fd;
  }
  if (is_new || !fd.Is(EEXIST)) co_return fd;
  const SysResultOr<FileStatus> target = co_await StatusOf(call, named);
  if (target.ok() || !target.failure().Is(ENOENT)) co_return below.Tail(call);
  // A link to what is not there.
  const SysResult made = co_await below(call);
  if (!made.ok()) co_return made;
  [[maybe_unused]] const SysResult kept = co_await KeepOwnerOfTarget(call, made);
  co_return made;
}

SysTask Fakeroot::Bind(Call& call, Below below) const {
  const std::string_view path = SocketPathOf(call);
  if (path.empty() || (MayChangeAll(call) && !GivesOwners(call))) co_return below.Tail(call);
  const Place made = {AT_FDCWD, call.Put(path), AT_SYMLINK_NOFOLLOW};
  const Place parent = ParentOf(call, AT_FDCWD, path);
  const SysResult may = co_await MayMake(call, path, made, parent);
  if (!may.ok()) co_return may;
  const SysResult result = co_await below(call);
  if (!result.ok()) co_return result;
  [[maybe_unused]] const SysResult kept = co_await KeepOwner(call, made, parent);
  co_return result;
}

void Fakeroot::ClaimCreation(api::Claims& claims) const {
  using api::Once;
  claims.ServeOnce<Nr::mkdir, &Fakeroot::Create>(Once::kOwnersVary, *this);
  claims.ServeOnce<Nr::mkdirat, &Fakeroot::Create>(Once::kOwnersVary, *this);
  claims.ServeOnce<Nr::mknod, &Fakeroot::Create>(Once::kOwnersVary, *this);
  claims.ServeOnce<Nr::mknodat, &Fakeroot::Create>(Once::kOwnersVary, *this);
  claims.ServeOnce<Nr::symlink, &Fakeroot::Create>(Once::kOwnersVary, *this);
  claims.ServeOnce<Nr::symlinkat, &Fakeroot::Create>(Once::kOwnersVary, *this);
  claims.ServeOnce<Nr::open, &Fakeroot::CreateByOpen>(Once::kOwnersVary, *this).IfAny(1, O_CREAT | kUnnamed);
  claims.ServeOnce<Nr::openat, &Fakeroot::CreateByOpen>(Once::kOwnersVary, *this).IfAny(2, O_CREAT | kUnnamed);
  claims.ServeOnce<Nr::openat2, &Fakeroot::CreateByOpen>(Once::kOwnersVary, *this);
  claims.ServeOnce<Nr::creat, &Fakeroot::CreateByOpen>(Once::kOwnersVary, *this);
  claims.ServeOnce<Nr::bind, &Fakeroot::Bind>(Once::kOwnersVary, *this);
}

}  // namespace guise::personalities
