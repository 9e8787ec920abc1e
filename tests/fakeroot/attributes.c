// What root may do with extended attributes. Real root passes this natively; fakeroot must look the same to an ordinary
// user.
#include <linux/capability.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "tests/guests/guest.h"

static void Make(const char* path) { CHECK(close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644)) == 0); }

// What the link or file has, by all ways there are.
static void Has(const char* path, const char* name, const char* value) {
  char got[64];
  const ssize_t size = (ssize_t)strlen(value);
  CHECK(lgetxattr(path, name, NULL, 0) == size);
  CHECK(lgetxattr(path, name, got, sizeof(got)) == size && memcmp(got, value, (size_t)size) == 0);
  if (size > 1) FAILS(lgetxattr(path, name, got, 1), ERANGE);
  struct stat status;
  CHECK(lstat(path, &status) == 0);
  if (!S_ISREG(status.st_mode)) return;
  CHECK(getxattr(path, name, got, sizeof(got)) == size && memcmp(got, value, (size_t)size) == 0);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0 && fgetxattr(fd, name, got, sizeof(got)) == size && memcmp(got, value, (size_t)size) == 0);
  close(fd);
}

// How often `name` is in the list of `size` bytes.
static int Times(const char* list, ssize_t size, const char* name) {
  int times = 0;
  for (const char* at = list; at < list + size; at += strlen(at) + 1) times += strcmp(at, name) == 0;
  return times;
}

static void Lists(const char* path, const char* name, int times) {
  char list[256];
  const ssize_t size = llistxattr(path, list, sizeof(list));
  CHECK(size >= 0 && llistxattr(path, NULL, 0) == size && Times(list, size, name) == times);
  if (size > 1) FAILS(llistxattr(path, list, 1), ERANGE);
  struct stat status;
  CHECK(lstat(path, &status) == 0);
  if (!S_ISREG(status.st_mode)) return;
  CHECK(listxattr(path, list, sizeof(list)) == size && Times(list, size, name) == times);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0 && flistxattr(fd, list, sizeof(list)) == size && Times(list, size, name) == times);
  close(fd);
}

static void SetAndRemove(void) {
  Make("f");
  FAILS(getxattr("f", "trusted.a", NULL, 0), ENODATA);
  FAILS(removexattr("f", "trusted.a"), ENODATA);
  FAILS(setxattr("f", "trusted.a", "1", 1, XATTR_REPLACE), ENODATA);
  CHECK(setxattr("f", "trusted.a", "one", 3, XATTR_CREATE) == 0);
  Has("f", "trusted.a", "one");
  FAILS(setxattr("f", "trusted.a", "1", 1, XATTR_CREATE), EEXIST);
  CHECK(setxattr("f", "trusted.a", "two!", 4, XATTR_REPLACE) == 0);
  Has("f", "trusted.a", "two!");
  CHECK(setxattr("f", "trusted.empty", "", 0, 0) == 0);
  Has("f", "trusted.empty", "");
  CHECK(setxattr("f", "security.guise", "x", 1, 0) == 0 && setxattr("f", "user.own", "y", 1, 0) == 0);
  Has("f", "security.guise", "x");
  Has("f", "user.own", "y");
  Lists("f", "trusted.a", 1);
  Lists("f", "trusted.empty", 1);
  Lists("f", "security.guise", 1);
  Lists("f", "user.own", 1);
  Lists("f", "trusted", 0);
  CHECK(removexattr("f", "trusted.a") == 0);
  FAILS(getxattr("f", "trusted.a", NULL, 0), ENODATA);
  Lists("f", "trusted.a", 0);
  Lists("f", "trusted.empty", 1);
  Has("f", "security.guise", "x");
  FAILS(syscall(SYS_setxattr, "f", "trusted.a", 1, 3, 0), EFAULT);
  FAILS(setxattr("nothing", "trusted.a", "1", 1, 0), ENOENT);
  FAILS(setxattr("f", "trusted.", "1", 1, 0), EINVAL);
  FAILS(removexattr("f", "security."), EINVAL);
  FAILS(setxattr("f", "strange.a", "1", 1, 0), EOPNOTSUPP);
  FAILS(getxattr("nothing", "trusted.a", NULL, 0), ENOENT);
  FAILS(fsetxattr(999, "trusted.a", "1", 1, 0), EBADF);
  FAILS(fgetxattr(999, "trusted.a", NULL, 0), EBADF);
}

// They go with the file, whoever asks.
static void OfTheFile(void) {
  CHECK(mkdir("d", 0755) == 0 && symlink("f", "l") == 0 && link("f", "d/hard") == 0);
  CHECK(lsetxattr("d", "trusted.d", "dir", 3, 0) == 0 && lsetxattr("l", "trusted.l", "link", 4, 0) == 0);
  Has("d", "trusted.d", "dir");
  Has("l", "trusted.l", "link");
  Lists("l", "trusted.l", 1);
  Lists("l", "trusted.empty", 0);
  CHECK(getxattr("l", "trusted.empty", NULL, 0) == 0);
  Has("d/hard", "security.guise", "x");
  CHECK(rename("f", "d/g") == 0);
  const int fd = open("d/g", O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0 && fsetxattr(fd, "trusted.fd", "fd", 2, 0) == 0);
  const pid_t child = fork();
  if (child == 0) {
    Has("d/hard", "trusted.fd", "fd");
    CHECK(fremovexattr(fd, "trusted.fd") == 0);
    _exit(3);
  }
  CHECK(ExitOf(child) == 3);
  FAILS(fgetxattr(fd, "trusted.fd", NULL, 0), ENODATA);
  close(fd);
  // Where no permission bit allows it.
  CHECK(chmod("d/g", 0) == 0 && chmod("d", 0) == 0);
  CHECK(setxattr("d/g", "trusted.zero", "0", 1, 0) == 0);
  CHECK(getxattr("d/g", "trusted.zero", NULL, 0) == 1);
  CHECK(chmod("d", 0755) == 0);
  // Another file that gets the name, or the number, has none.
  for (int i = 0; i < 20; ++i) {
    Make("again");
    Lists("again", "trusted.again", 0);
    CHECK(setxattr("again", "trusted.again", "1", 1, 0) == 0);
    Lists("again", "trusted.again", 1);
    CHECK(unlink("again") == 0);
  }
}

// Of an open file the mode counts, not how it was opened: each call finds nothing allowed.
static void OfAnOpenFile(void) {
  char value[4];
  struct stat status;
  const int fd = open("open", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0);
  CHECK(fd >= 0);
  CHECK(fsetxattr(fd, "user.open", "o", 1, 0) == 0 && fgetxattr(fd, "user.open", value, sizeof(value)) == 1);
  FAILS(fgetxattr(fd, "user.other", value, sizeof(value)), ENODATA);
  FAILS(fsetxattr(fd, "user.open", "p", 1, XATTR_CREATE), EEXIST);
  CHECK(fsetxattr(fd, "trusted.open", "t", 1, 0) == 0 && fgetxattr(fd, "trusted.open", value, sizeof(value)) == 1);
  CHECK(fremovexattr(fd, "user.open") == 0);
  FAILS(fremovexattr(fd, "user.open"), ENODATA);
  CHECK(fstat(fd, &status) == 0 && (status.st_mode & 07777) == 0);
  close(fd);
}

static void FileCapabilities(void) {
  const struct vfs_cap_data data = {VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, {{1u << CAP_NET_RAW, 0}}};
  struct vfs_cap_data got;
  const char name[] = "security.capability";
  Make("c");
  FAILS(setxattr("c", name, &data, sizeof(data) - 1, 0), EINVAL);
  FAILS(removexattr("c", name), ENODATA);
  CHECK(setxattr("c", name, &data, sizeof(data), 0) == 0);
  CHECK(getxattr("c", name, &got, sizeof(got)) == sizeof(got) && memcmp(&got, &data, sizeof(got)) == 0);
  Lists("c", name, 1);
  CHECK(chmod("c", 0755) == 0 && getxattr("c", name, NULL, 0) == sizeof(data));
  // A change of the owner takes them away, also one that changes nothing.
  CHECK(chown("c", 0, 0) == 0);
  FAILS(getxattr("c", name, NULL, 0), ENODATA);
  CHECK(setxattr("c", name, &data, sizeof(data), 0) == 0 && setxattr("c", "trusted.c", "c", 1, 0) == 0);
  CHECK(chown("c", 1, 2) == 0);
  FAILS(getxattr("c", name, NULL, 0), ENODATA);
  Has("c", "trusted.c", "c");
}

// Of a file that is not to be changed; where this file system and this user can have one.
static void Protected(void) {
  Make("protected");
  const int fd = open("protected", O_RDONLY | O_CLOEXEC);
  const int none = 0;
  int flag = FS_IMMUTABLE_FL;
  CHECK(fd >= 0);
  if (ioctl(fd, FS_IOC_SETFLAGS, &flag) == 0) {
    FAILS(setxattr("protected", "trusted.a", "1", 1, 0), EPERM);
    CHECK(ioctl(fd, FS_IOC_SETFLAGS, &none) == 0);
  }
  close(fd);
}

static void GivenUp(void) {
  Make("c");
  const pid_t child = fork();
  if (child == 0) {
    CHECK(setxattr("c", "trusted.c", "d", 1, 0) == 0);
    CHECK(seteuid(1) == 0);
    FAILS(setxattr("c", "trusted.c", "e", 1, 0), EPERM);
    FAILS(removexattr("c", "trusted.c"), EPERM);
    FAILS(getxattr("c", "trusted.c", NULL, 0), ENODATA);
    Lists("c", "trusted.c", 0);
    CHECK(seteuid(0) == 0);
    Has("c", "trusted.c", "d");
    Lists("c", "trusted.c", 1);
    _exit(4);
  }
  CHECK(ExitOf(child) == 4);
}

// With an argument: what who has given root up may do, which real root under fakeroot may still.
int main(int argc, char** argv) {
  (void)argv;
  if (argc > 1) {
    GivenUp();
    return Pass();
  }
  SetAndRemove();
  OfTheFile();
  OfAnOpenFile();
  FileCapabilities();
  Protected();
  return Pass();
}
