#include "server/floor/hidden_objects.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace guise::server {
namespace {

constexpr char kFile[] = "file";
constexpr char kDirectory[] = "directory";
// Nobody reads the directory; that there is nothing in it, everybody may find.
constexpr mode_t kDirectoryMode = 0111;

bool MakeIn(int mount) {
  const int file = openat(mount, kFile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
  if (file < 0) return false;
  close(file);
  // Whatever the umask.
  return mkdirat(mount, kDirectory, 0) == 0 && fchmodat(mount, kDirectory, kDirectoryMode, 0) == 0;
}

void SetBit(wire::Cell<uint64_t>* words, uint32_t bit) {
  words[bit / 64].StoreRelaxed(words[bit / 64].Relaxed() | uint64_t{1} << (bit % 64));
}

}  // namespace

HiddenObjects::~HiddenObjects() {
  if (mount_ >= 0) close(mount_);
}

bool HiddenObjects::Make(const char* place) {
  const int file_system = fsopen("tmpfs", FSOPEN_CLOEXEC);
  if (file_system < 0) return false;
  const bool made = fsconfig(file_system, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
  mount_ = made ? fsmount(file_system, FSMOUNT_CLOEXEC, 0) : -1;
  close(file_system);
  struct stat status;
  if (mount_ < 0 || !MakeIn(mount_) || fstat(mount_, &status) != 0) return false;
  // Of each of its clones, too.
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  if (mount_setattr(mount_, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) != 0 ||
      move_mount(mount_, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return false;
  }
  if (hiding_ != nullptr) hiding_->device.StoreRelaxed(status.st_dev);
  return true;
}

void HiddenObjects::Note(ino_t ino) const {
  if (hiding_ == nullptr || ino == 0) return;
  SetBit(hiding_->inodes, wire::HidingBit(ino));
}

void HiddenObjects::NoteName(const char* path) const {
  if (hiding_ == nullptr) return;
  const char* const slash = strrchr(path, '/');
  const char* const name = slash == nullptr ? path : slash + 1;
  SetBit(hiding_->names, wire::HidingNameBit(name, strlen(name)));
}

bool HiddenObjects::Cover(const char* path, bool is_directory, ino_t listed_as) const {
  struct stat status;
  if (stat(path, &status) != 0) return false;
  Note(status.st_ino);
  Note(listed_as);
  NoteName(path);
  const int object =
      open_tree(mount_, is_directory ? kDirectory : kFile, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
  if (object < 0) return false;
  const bool put = move_mount(object, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
  const int error = errno;
  close(object);
  errno = error;
  return put;
}

}  // namespace guise::server
