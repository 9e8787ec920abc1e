// What root may do with owners. Real root passes this natively; fakeroot must look the same to an ordinary user.
#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/ioctl.h>

#include "tests/guests/guest.h"

struct Ids {
  uid_t uid;
  gid_t gid;
};

static struct Ids Owner(const char* path, int flags) {
  struct stat status;
  struct stat other;
  struct statx extended;
  CHECK(fstatat(AT_FDCWD, path, &status, flags) == 0);
  CHECK(syscall(SYS_statx, AT_FDCWD, path, flags, STATX_BASIC_STATS, &extended) == 0);
  CHECK(extended.stx_uid == status.st_uid && extended.stx_gid == status.st_gid);
  CHECK(syscall(flags == 0 ? SYS_stat : SYS_lstat, path, &other) == 0);
  CHECK(other.st_uid == status.st_uid && other.st_gid == status.st_gid);
  const int fd = open(path, O_PATH | (flags != 0 ? O_NOFOLLOW : 0));
  CHECK(fd >= 0 && fstat(fd, &other) == 0 && other.st_uid == status.st_uid && other.st_gid == status.st_gid);
  CHECK(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_UID | STATX_GID, &extended) == 0);
  CHECK(extended.stx_uid == status.st_uid && extended.stx_gid == status.st_gid);
  close(fd);
  return (struct Ids){status.st_uid, status.st_gid};
}

static void Is(const char* path, int flags, uid_t uid, gid_t gid) {
  const struct Ids ids = Owner(path, flags);
  if (ids.uid != uid || ids.gid != gid) fprintf(stderr, "%s is %u:%u, not %u:%u\n", path, ids.uid, ids.gid, uid, gid);
  CHECK(ids.uid == uid && ids.gid == gid);
}

static void Make(const char* path) { CHECK(close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644)) == 0); }

// Of a file that is not to be changed; where this file system and this user can have one.
static void Protected(int flag, int is_append) {
  Make("protected");
  const int fd = open("protected", O_RDONLY | O_CLOEXEC);
  const int none = 0;
  CHECK(fd >= 0);
  if (ioctl(fd, FS_IOC_SETFLAGS, &flag) == 0) {
    FAILS(chown("protected", 1, 2), EPERM);
    FAILS(fchown(fd, 1, (gid_t)-1), EPERM);
    if (is_append) {
      CHECK(chown("protected", (uid_t)-1, (gid_t)-1) == 0);
    } else {
      FAILS(chown("protected", (uid_t)-1, (gid_t)-1), EPERM);
    }
    Is("protected", 0, 0, 0);
    CHECK(ioctl(fd, FS_IOC_SETFLAGS, &none) == 0);
  }
  close(fd);
  CHECK(unlink("protected") == 0);
}

int main(void) {
  Make("f");
  Is("f", 0, 0, 0);
  CHECK(chown("f", 1, 2) == 0);
  Is("f", 0, 1, 2);
  CHECK(chown("f", (uid_t)-1, 7) == 0);
  Is("f", 0, 1, 7);
  CHECK(chown("f", 3, (gid_t)-1) == 0);
  Is("f", 0, 3, 7);
  CHECK(chown("f", (uid_t)-1, (gid_t)-1) == 0);
  Is("f", 0, 3, 7);
  CHECK(chown("f", 4000000000u, 4000000001u) == 0);
  Is("f", 0, 4000000000u, 4000000001u);
  const int fd = open("f", O_RDONLY);
  CHECK(fchown(fd, 10, 11) == 0);
  Is("f", 0, 10, 11);
  CHECK(fchownat(fd, "", 12, 13, AT_EMPTY_PATH) == 0);
  Is("f", 0, 12, 13);
  CHECK(symlink("f", "l") == 0);
  Is("l", AT_SYMLINK_NOFOLLOW, 0, 0);
  CHECK(chown("l", 14, 15) == 0);
  Is("f", 0, 14, 15);
  Is("l", AT_SYMLINK_NOFOLLOW, 0, 0);
  CHECK(lchown("l", 16, 17) == 0);
  Is("l", AT_SYMLINK_NOFOLLOW, 16, 17);
  Is("l", 0, 14, 15);
  CHECK(fchownat(AT_FDCWD, "l", 18, 19, AT_SYMLINK_NOFOLLOW) == 0);
  Is("l", AT_SYMLINK_NOFOLLOW, 18, 19);
  Is("f", 0, 14, 15);
  // The owner goes with the file: other names, other places, other processes, programs to come.
  CHECK(link("f", "hard") == 0 && rename("f", "g") == 0 && mkdir("d", 0755) == 0);
  Is("hard", 0, 14, 15);
  Is("g", 0, 14, 15);
  CHECK(rename("g", "d/g") == 0 && chown("d", 20, 21) == 0);
  Is("d/g", 0, 14, 15);
  Is("d", 0, 20, 21);
  const pid_t child = fork();
  if (child == 0) {
    Is("hard", 0, 14, 15);
    CHECK(chown("hard", 22, 23) == 0);
    _exit(3);
  }
  CHECK(ExitOf(child) == 3);
  Is("d/g", 0, 22, 23);
  // A new file is root's, also where an inode is used again.
  for (int i = 0; i < 50; ++i) {
    Make("again");
    Is("again", 0, 0, 0);
    CHECK(chown("again", 100 + (uid_t)i, 5) == 0);
    Is("again", 0, 100 + (uid_t)i, 5);
    CHECK(unlink("again") == 0);
  }
  Protected(FS_IMMUTABLE_FL, 0);
  Protected(FS_APPEND_FL, 1);
  FAILS(chown("nothing", 1, 2), ENOENT);
  FAILS(chown("hard/x", 1, 2), ENOTDIR);
  FAILS(fchown(999, 1, 2), EBADF);
  FAILS(fchownat(999, "hard", 1, 2, 0), EBADF);
  FAILS(fchownat(AT_FDCWD, "hard", 1, 2, 0x40000000), EINVAL);
  FAILS(fchownat(AT_FDCWD, "", 1, 2, 0), ENOENT);
  FAILS(syscall(SYS_chown, (void*)1, 1, 2), EFAULT);
  Is("hard", 0, 22, 23);
  return Pass();
}
