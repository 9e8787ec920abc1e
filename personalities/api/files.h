// Files in handlers: which one a call means, and what it natively is.
#ifndef GUISE_PERSONALITIES_API_FILES_H_
#define GUISE_PERSONALITIES_API_FILES_H_

#include <sys/stat.h>

#include <cstdint>

#include "personalities/api/call.h"
#include "personalities/api/inode.h"
#include "personalities/api/result.h"
#include "personalities/api/task.h"

namespace guise::api {

// What a handler needs to know of a file.
struct FileStatus {
  Inode inode;
  Owner native;             // the owner that the host knows
  uint32_t mode = 0;        // type and permission bits
  uint64_t attributes = 0;  // STATX_ATTR_* of statx(2), as far as the file system tells

  // ABI: fs/attr.c, may_setattr(); fs/xattr.c, xattr_permission(): neither owner nor attribute is set.
  bool IsProtected() const { return (attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0; }
};

// What names a file is made of. The birth time counts when the file system told it.
Inode InodeOf(const struct statx& status);

// The file that (directory, path, flags) names, by one native statx(2) on the guest's thread. Fails as statx does.
Task<SysResultOr<FileStatus>> StatusOf(Call& call, Argument directory, Argument path, int flags);

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_FILES_H_
