// The permissions that calls take on the files and directories of their paths, and on what they name by descriptor.
//
// ABI: fs/namei.c, generic_permission(): directories are searched, and changed, by their owner with x and w;
// vfs_rename(): a directory that gets another parent is changed itself.
#ifndef GUISE_PERSONALITIES_FAKEROOT_PATH_USES_H_
#define GUISE_PERSONALITIES_FAKEROOT_PATH_USES_H_

#include <cstdint>

#include "personalities/api/call.h"
#include "personalities/api/files.h"

namespace guise::personalities {

inline constexpr uint32_t kRead = 0400, kWrite = 0200, kSearch = 0100;
// Of an object that is moved: a directory is written to, anything else is not, and no link is followed.
inline constexpr uint32_t kMoved = 01000;
// Of one that is asked whether it may be executed: what somebody may execute, root may.
inline constexpr uint32_t kExecute = 02000;

// A path that a call names, and what it takes beside search permission on the way.
struct PathUse {
  api::Nr nr;
  uint8_t at;          // the path's argument
  bool has_directory;  // the argument in front of it says from where
  uint32_t parent;     // permissions on the directory that the name is in
  uint32_t object;     // and on what it names
};

// Calls with two paths have two rows.
inline constexpr PathUse kPathUses[] = {
    {api::Nr::open, 0, false, kWrite, kRead | kWrite},    // by its flags
    {api::Nr::creat, 0, false, kWrite, kWrite},           //
    {api::Nr::openat, 1, true, kWrite, kRead | kWrite},   // by its flags
    {api::Nr::openat2, 1, true, kWrite, kRead | kWrite},  //
    {api::Nr::mkdir, 0, false, kWrite, 0},
    {api::Nr::mkdirat, 1, true, kWrite, 0},
    {api::Nr::mknod, 0, false, kWrite, 0},
    {api::Nr::mknodat, 1, true, kWrite, 0},
    {api::Nr::rmdir, 0, false, kWrite, 0},
    {api::Nr::unlink, 0, false, kWrite, 0},
    {api::Nr::unlinkat, 1, true, kWrite, 0},
    {api::Nr::symlink, 1, false, kWrite, 0},
    {api::Nr::symlinkat, 2, true, kWrite, 0},
    {api::Nr::link, 0, false, 0, 0},
    {api::Nr::link, 1, false, kWrite, 0},
    {api::Nr::linkat, 1, true, 0, 0},
    {api::Nr::linkat, 3, true, kWrite, 0},
    {api::Nr::rename, 0, false, kWrite, kMoved},
    {api::Nr::rename, 1, false, kWrite, 0},
    {api::Nr::renameat, 1, true, kWrite, kMoved},
    {api::Nr::renameat, 3, true, kWrite, 0},
    {api::Nr::renameat2, 1, true, kWrite, kMoved},
    {api::Nr::renameat2, 3, true, kWrite, kMoved},
    {api::Nr::stat, 0, false, 0, 0},
    {api::Nr::lstat, 0, false, 0, 0},
    {api::Nr::newfstatat, 1, true, 0, 0},
    {api::Nr::statx, 1, true, 0, 0},
    {api::Nr::access, 0, false, 0, kRead | kWrite},     // by what is asked
    {api::Nr::faccessat, 1, true, 0, kRead | kWrite},   //
    {api::Nr::faccessat2, 1, true, 0, kRead | kWrite},  //
    {api::Nr::readlink, 0, false, 0, 0},
    {api::Nr::readlinkat, 1, true, 0, 0},
    {api::Nr::chdir, 0, false, 0, kSearch},
    {api::Nr::chmod, 0, false, 0, 0},
    {api::Nr::fchmodat, 1, true, 0, 0},
    {api::Nr::fchmodat2, 1, true, 0, 0},
    {api::Nr::chown, 0, false, 0, 0},
    {api::Nr::lchown, 0, false, 0, 0},
    {api::Nr::fchownat, 1, true, 0, 0},
    {api::Nr::truncate, 0, false, 0, kWrite},
    {api::Nr::utime, 0, false, 0, 0},
    {api::Nr::utimes, 0, false, 0, 0},
    {api::Nr::futimesat, 1, true, 0, 0},
    {api::Nr::utimensat, 1, true, 0, 0},
    {api::Nr::statfs, 0, false, 0, 0},
    {api::Nr::setxattr, 0, false, 0, kWrite},
    {api::Nr::lsetxattr, 0, false, 0, kWrite},
    {api::Nr::getxattr, 0, false, 0, kRead},
    {api::Nr::lgetxattr, 0, false, 0, kRead},
    {api::Nr::listxattr, 0, false, 0, 0},
    {api::Nr::llistxattr, 0, false, 0, 0},
    {api::Nr::removexattr, 0, false, 0, kWrite},
    {api::Nr::lremovexattr, 0, false, 0, kWrite},
    {api::Nr::inotify_add_watch, 1, false, 0, kRead},
};

// A call whose first argument is a descriptor, and what it takes on the file: how that was opened does not count.
// ABI: fs/open.c, fchdir(); fs/xattr.c, xattr_permission().
struct FdUse {
  api::Nr nr;
  uint32_t object;
};

inline constexpr FdUse kFdUses[] = {
    {api::Nr::fchdir, kSearch},
    {api::Nr::fsetxattr, kWrite},
    {api::Nr::fgetxattr, kRead},
    {api::Nr::fremovexattr, kWrite},
};

// The first path of a call that has one.
const PathUse& NamingOf(api::Nr nr);

// The same for this call: what its flags do not want is not needed.
PathUse UseIn(const api::Call& call, PathUse use);

// Where a relative path begins.
int StartOf(const api::Call& call, const PathUse& use);

// Permission bits that the owner of a file needs.
uint32_t NeededOf(const api::FileStatus& file, uint32_t wanted);

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_FAKEROOT_PATH_USES_H_
