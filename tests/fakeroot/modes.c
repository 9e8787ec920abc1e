// Who may change modes: the owner, and the set-group-ID bit is for members of the group. Real root passes this
// natively; fakeroot must look the same to an ordinary user.
#include <grp.h>

#include "tests/guests/guest.h"

enum { kUid = 1000, kGid = 1001, kOther = 61, kMember = 62 };

static void Make(const char* path, uid_t uid, gid_t gid) {
  CHECK(close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644)) == 0 && chown(path, uid, gid) == 0);
}

static int ModeOf(const char* path) {
  struct stat status;
  CHECK(stat(path, &status) == 0);
  return status.st_mode & 07777;
}

static int Changed(const char* path, mode_t mode) {
  CHECK(chmod(path, mode) == 0);
  return ModeOf(path);
}

static void Refused(const char* path) {
  const int fd = open(path, O_RDONLY);
  const int named = open(path, O_PATH);
  CHECK(fd >= 0 && named >= 0);
  FAILS(chmod(path, 0600), EPERM);
  FAILS(chmod(path, 02755), EPERM);
  FAILS(fchmod(fd, 0600), EPERM);
  FAILS(fchmod(named, 0600), EBADF);
  FAILS(syscall(SYS_fchmodat, AT_FDCWD, path, 0600), EPERM);
  FAILS(fchmod(-1, 0600), EBADF);
  FAILS(fchmod(AT_FDCWD, 0600), EBADF);
  FAILS(chmod("none", 0600), ENOENT);
  CHECK(close(fd) == 0 && close(named) == 0);
}

static void AsMember(void) {
  Refused("roots");
  Refused("roots directory");
  CHECK(ModeOf("roots") == 0644 && ModeOf("roots directory") == 0755);
  CHECK(Changed("own", 0600) == 0600 && Changed("own", 06711) == 06711 && Changed("own", 0644) == 0644);
  CHECK(Changed("of member", 02755) == 02755 && Changed("of other", 06755) == 04755);
  CHECK(Changed("directory of other", 02755) == 0755 && Changed("directory", 03777) == 03777);
  const int fd = open("of other", O_RDONLY);
  CHECK(fchmod(fd, 02644) == 0 && close(fd) == 0 && ModeOf("of other") == 0644);
}

int main(void) {
  const gid_t groups[] = {kMember};
  umask(022);
  Make("roots", 0, 0);
  Make("own", kUid, kGid);
  Make("of member", kUid, kMember);
  Make("of other", kUid, kOther);
  CHECK(mkdir("roots directory", 0755) == 0 && mkdir("directory", 0755) == 0 && mkdir("directory of other", 0755) == 0);
  CHECK(chown("directory", kUid, kGid) == 0 && chown("directory of other", kUid, kOther) == 0);
  CHECK(chmod(".", 0777) == 0);
  const pid_t child = fork();
  if (child == 0) {
    CHECK(setgroups(1, groups) == 0 && setresgid(kGid, kGid, kGid) == 0 && setresuid(kUid, kUid, kUid) == 0);
    AsMember();
    _exit(0);
  }
  CHECK(ExitOf(child) == 0);
  CHECK(setegid(kOther) == 0 && seteuid(kUid) == 0);
  Refused("roots");
  CHECK(Changed("of other", 02755) == 02755);
  CHECK(seteuid(0) == 0 && Changed("of other", 06755) == 06755 && Changed("of member", 02755) == 02755);
  return Pass();
}
