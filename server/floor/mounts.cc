#include "server/floor/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace guise::server {

int CloneTree(const char* path) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const int place = static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
  if (place < 0) return -1;
  const int tree = open_tree(place, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  const int error = errno;
  close(place);
  errno = error;
  return tree;
}

bool SetAttributes(int tree, const char* path, unsigned flags, uint64_t set) {
  mount_attr attributes = {};
  attributes.attr_set = set;
  return mount_setattr(tree, path, flags, &attributes, sizeof(attributes)) == 0;
}

bool Attach(int tree, const char* target) {
  const bool moved = move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) == 0;
  const int error = errno;
  close(tree);
  errno = error;
  return moved;
}

bool MakePlace(const std::string& path, bool is_directory) {
  char part[PATH_MAX];
  if (path.size() >= sizeof(part)) {
    errno = ENAMETOOLONG;
    return false;
  }
  for (size_t i = 1; i <= path.size(); ++i) {
    part[i - 1] = path[i - 1];
    if (i < path.size() && path[i] != '/') continue;
    part[i] = 0;
    struct stat status;
    if (lstat(part, &status) == 0) continue;
    if (i < path.size() || is_directory) {
      if (mkdir(part, 0755) != 0) return false;
    } else {
      const int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
      if (fd < 0) return false;
      close(fd);
    }
  }
  return true;
}

}  // namespace guise::server
