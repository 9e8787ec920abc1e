// Root's power over modes (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH; capabilities(7)): what the kernel refuses the real
// user for want of permission bits on files of its own, root may do. The bits are lent for the length of the call: the
// owner gets them, the call is made again, and the mode is as before. So no file's mode is another than the one that
// the guest sees, on disk and after the session; others may see the lent bits, and the change time says that there was
// a change.
//
// ABI: fs/namei.c, generic_permission(): directories are searched, and changed, by their owner with x and w; fs/open.c.
#include "personalities/fakeroot/power.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "personalities/api/files.h"
#include "personalities/fakeroot/fakeroot.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::FileStatus;
using api::Nr;
using api::Path;
using api::SysResult;
using api::SysResultOr;
using api::SysTask;
using api::Task;

namespace {

constexpr uint32_t kRead = 0400, kWrite = 0200, kSearch = 0100;

// A path that a call names, and what it takes beside search permission on the way.
struct PathUse {
  Nr nr;
  uint8_t at;          // the path's argument
  bool has_directory;  // the argument in front of it says from where
  uint32_t parent;     // permissions on the directory that the name is in
  uint32_t object;     // and on what it names
};

// Calls with two paths have two rows.
constexpr PathUse kUses[] = {
    {Nr::open, 0, false, kWrite, kRead | kWrite},    // by its flags
    {Nr::creat, 0, false, kWrite, kWrite},           //
    {Nr::openat, 1, true, kWrite, kRead | kWrite},   // by its flags
    {Nr::openat2, 1, true, kWrite, kRead | kWrite},  //
    {Nr::mkdir, 0, false, kWrite, 0},
    {Nr::mkdirat, 1, true, kWrite, 0},
    {Nr::mknod, 0, false, kWrite, 0},
    {Nr::mknodat, 1, true, kWrite, 0},
    {Nr::rmdir, 0, false, kWrite, 0},
    {Nr::unlink, 0, false, kWrite, 0},
    {Nr::unlinkat, 1, true, kWrite, 0},
    {Nr::symlink, 1, false, kWrite, 0},
    {Nr::symlinkat, 2, true, kWrite, 0},
    {Nr::link, 0, false, 0, 0},
    {Nr::link, 1, false, kWrite, 0},
    {Nr::linkat, 1, true, 0, 0},
    {Nr::linkat, 3, true, kWrite, 0},
    {Nr::rename, 0, false, kWrite, 0},
    {Nr::rename, 1, false, kWrite, 0},
    {Nr::renameat, 1, true, kWrite, 0},
    {Nr::renameat, 3, true, kWrite, 0},
    {Nr::renameat2, 1, true, kWrite, 0},
    {Nr::renameat2, 3, true, kWrite, 0},
    {Nr::stat, 0, false, 0, 0},
    {Nr::lstat, 0, false, 0, 0},
    {Nr::newfstatat, 1, true, 0, 0},
    {Nr::statx, 1, true, 0, 0},
    {Nr::access, 0, false, 0, kRead | kWrite},     // by what is asked
    {Nr::faccessat, 1, true, 0, kRead | kWrite},   //
    {Nr::faccessat2, 1, true, 0, kRead | kWrite},  //
    {Nr::readlink, 0, false, 0, 0},
    {Nr::readlinkat, 1, true, 0, 0},
    {Nr::chdir, 0, false, 0, kSearch},
    {Nr::chmod, 0, false, 0, 0},
    {Nr::fchmodat, 1, true, 0, 0},
    {Nr::fchmodat2, 1, true, 0, 0},
    {Nr::chown, 0, false, 0, 0},
    {Nr::lchown, 0, false, 0, 0},
    {Nr::fchownat, 1, true, 0, 0},
    {Nr::truncate, 0, false, 0, kWrite},
    {Nr::utime, 0, false, 0, 0},
    {Nr::utimes, 0, false, 0, 0},
    {Nr::futimesat, 1, true, 0, 0},
    {Nr::utimensat, 1, true, 0, 0},
    {Nr::statfs, 0, false, 0, 0},
    {Nr::setxattr, 0, false, 0, kWrite},
    {Nr::lsetxattr, 0, false, 0, kWrite},
    {Nr::getxattr, 0, false, 0, kRead},
    {Nr::lgetxattr, 0, false, 0, kRead},
    {Nr::listxattr, 0, false, 0, 0},
    {Nr::llistxattr, 0, false, 0, 0},
    {Nr::removexattr, 0, false, 0, kWrite},
    {Nr::lremovexattr, 0, false, 0, kWrite},
    {Nr::inotify_add_watch, 1, false, 0, kRead},
};

// The same for this call: what its flags do not want is not needed.
PathUse UseIn(const Call& call, PathUse use) {
  switch (use.nr) {
    case Nr::open:
    case Nr::openat: {
      const int flags = call.Arg<int>(use.at + 1);
      const int mode = flags & O_ACCMODE;
      if ((flags & O_CREAT) == 0) use.parent = 0;
      use.object = (mode != O_WRONLY ? kRead : 0) | (mode != O_RDONLY || (flags & O_TRUNC) != 0 ? kWrite : 0);
      if ((flags & O_PATH) != 0) use.object = 0;
      return use;
    }
    case Nr::access:
    case Nr::faccessat:
    case Nr::faccessat2: {
      const int asked = call.Arg<int>(use.at + 1);
      use.object = ((asked & R_OK) != 0 ? kRead : 0) | ((asked & W_OK) != 0 ? kWrite : 0);
      return use;
    }
    default:
      return use;
  }
}

// Bits that have been lent, to whom, and what was there before.
struct Loan {
  Argument path;  // absolute, or from the working directory
  Argument directory;
  uint32_t mode;
};
struct Loans {
  std::array<Loan, 4> all;
  size_t count = 0;
};

// Lends the owner of a file what it lacks of `wanted`. False: it is not the user's, or too many are.
Task<bool> Lend(Call& call, Loans& loans, const FileStatus& file, Argument directory, Argument path, uint32_t wanted) {
  // What runs as a set-id file is not changed, not for a moment: the bits go with the first write, or for good.
  const bool has_id = !S_ISDIR(file.mode) && (file.mode & (S_ISUID | S_ISGID)) != 0;
  if (loans.count == loans.all.size() || S_ISLNK(file.mode) || has_id) co_return false;
  const uint32_t before = file.mode & 07777;
  const SysResult lent = co_await call.Run(Nr::fchmodat, directory, path, before | wanted, 0);
  if (!lent.ok()) co_return false;
  loans.all[loans.count++] = {path, directory, before};
  co_return true;
}

// What a directory needs, or a file: programs are not made of what is none.
uint32_t Lacking(const FileStatus& file, uint32_t wanted) {
  if (S_ISDIR(file.mode) && wanted != 0) wanted |= kSearch;
  return wanted & ~file.mode;
}

// The end of the first component from `at` on, with the slashes behind it.
size_t NextName(std::string_view path, size_t at) {
  at = std::min(path.find('/', at), path.size());
  return std::min(path.find_first_not_of('/', at), path.size());
}

// Where a relative path begins.
struct Start {
  Argument directory;
  Argument path;  // of that directory, from anywhere; no permission on it is needed
};

Start StartAt(Call& call, int directory) {
  if (directory == AT_FDCWD) return {directory, call.Put("/proc/self/cwd")};
  constexpr char kFds[] = "/proc/self/fd/";
  char name[sizeof(kFds) + 16];
  std::memcpy(name, kFds, sizeof(kFds));
  char* const end = std::to_chars(name + sizeof(kFds) - 1, name + sizeof(name), directory).ptr;
  return {directory, call.Put({name, static_cast<size_t>(end - name)})};
}

// Lends what is lacking on the way to one of the call's paths, and where it ends.
Task<bool> LendOnTheWay(Call& call, Loans& loans, PathUse use, Start start) {
  const std::string_view path = call.Arg<Path>(use.at).text;
  bool lent = false;
  size_t begin = std::min(path.find_first_not_of('/'), path.size());
  while (begin < path.size()) {
    const size_t end = NextName(path, begin);
    const bool is_last = end >= path.size();
    // The directory that this name is looked up in.
    const Argument parent = begin == 0 ? start.path : call.Put(path.substr(0, begin));
    const SysResultOr<FileStatus> status = co_await StatusOf(call, start.directory, parent, 0);
    if (!status.ok()) co_return lent;
    const uint32_t lacking = Lacking(status.value(), kSearch | (is_last ? use.parent : 0));
    if (lacking != 0) {
      const FileStatus file = status.value();
      const bool done = co_await Lend(call, loans, file, start.directory, parent, lacking);
      if (!done) co_return lent;
      lent = true;
    }
    begin = end;
  }
  if (use.object == 0) co_return lent;
  const Argument whole = call.Forward(use.at);
  const SysResultOr<FileStatus> status = co_await StatusOf(call, start.directory, whole, 0);
  if (!status.ok()) co_return lent;
  const FileStatus file = status.value();
  const uint32_t lacking = Lacking(file, use.object);
  if (lacking == 0) co_return lent;
  const bool done = co_await Lend(call, loans, file, start.directory, whole, lacking);
  co_return lent || done;
}

// The last first: the way there may need the others.
Task<SysResult> TakeBack(Call& call, Loans& loans) {
  while (loans.count > 0) {
    const Loan loan = loans.all[--loans.count];
    [[maybe_unused]] const SysResult result = co_await call.Run(Nr::fchmodat, loan.directory, loan.path, loan.mode, 0);
  }
  co_return SysResult::Ok();
}

// Paths of so many names leave native calls enough for the rest.
bool IsShort(std::string_view path) {
  constexpr size_t kMostNames = 10;
  size_t names = 0;
  for (size_t at = 0; at < path.size(); at = NextName(path, at)) ++names;
  return names <= kMostNames;
}

}  // namespace

Task<SysResult> WithModesLent(Call& call, Below below, const Call& native) {
  SysResult result = SysResult::Error(EACCES);
  // After a chdir(2) relative paths begin elsewhere: the way back is from where it was.
  int was_here = AT_FDCWD;
  if (call.nr() == Nr::chdir) {
    const Argument here = call.Put("/proc/self/cwd");
    const SysResult opened = co_await call.Run(Nr::openat, AT_FDCWD, here, O_PATH | O_CLOEXEC, 0);
    if (!opened.ok()) co_return result;
    was_here = static_cast<int>(opened.value());
  }
  Loans loans;
  bool lent = false;
  for (const PathUse& row : kUses) {
    if (row.nr != call.nr() || !IsShort(call.Arg<Path>(row.at).text)) continue;
    const PathUse use = UseIn(call, row);
    const Start start = StartAt(call, use.has_directory ? call.Arg<int>(use.at - 1) : was_here);
    const bool more = co_await LendOnTheWay(call, loans, use, start);
    lent = lent || more;
  }
  if (lent) {
    const SysResult again = co_await below(native);
    result = again;
  }
  [[maybe_unused]] const SysResult taken = co_await TakeBack(call, loans);
  if (was_here != AT_FDCWD) {
    [[maybe_unused]] const SysResult closed = co_await call.Run(Nr::close, was_here);
  }
  co_return result;
}

SysTask Fakeroot::WithPower(Call& call, Below below) const {
  const SysResult result = co_await below(call);
  // Of EPERM the reason is an owner, or what no owner may do.
  if (!result.Is(EACCES) || !call.Credentials().MayOverride()) co_return result;
  const SysResult again = co_await WithModesLent(call, below, call);
  co_return again;
}

void Fakeroot::ClaimPower(api::Claims& claims) const {
  AttemptAll<Nr::open, Nr::creat, Nr::openat, Nr::openat2, Nr::mkdir, Nr::mkdirat, Nr::rmdir, Nr::unlink, Nr::unlinkat,
             Nr::symlink, Nr::symlinkat, Nr::link, Nr::linkat, Nr::rename, Nr::renameat, Nr::renameat2, Nr::stat,
             Nr::lstat, Nr::newfstatat, Nr::statx, Nr::access, Nr::faccessat, Nr::faccessat2, Nr::readlink,
             Nr::readlinkat, Nr::chdir, Nr::chmod, Nr::fchmodat, Nr::fchmodat2, Nr::chown, Nr::lchown, Nr::fchownat,
             Nr::truncate, Nr::utime, Nr::utimes, Nr::futimesat, Nr::utimensat, Nr::statfs, Nr::setxattr, Nr::lsetxattr,
             Nr::getxattr, Nr::lgetxattr, Nr::listxattr, Nr::llistxattr, Nr::removexattr, Nr::lremovexattr,
             Nr::inotify_add_watch>(claims);
}

}  // namespace guise::personalities
