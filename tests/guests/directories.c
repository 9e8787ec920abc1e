// Working directory, chroot-free path walks, descriptors of directories and *at calls mean what they mean natively.
#include "tests/guests/guest.h"

int main(void) {
  char before[4096];
  char after[4096];
  struct stat status;
  CHECK(getcwd(before, sizeof(before)) != NULL);
  CHECK(mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0 && close(creat("a/b/f", 0640)) == 0);
  CHECK(chdir("a") == 0 && stat("b/f", &status) == 0 && (status.st_mode & 07777) == 0640);
  FAILS(stat("a/b/f", &status), ENOENT);
  const int directory = open("b", O_RDONLY | O_DIRECTORY);
  CHECK(directory >= 0 && fstatat(directory, "f", &status, 0) == 0);
  CHECK(fchdir(directory) == 0 && stat("f", &status) == 0 && stat("../../a/b/f", &status) == 0);
  CHECK(renameat(directory, "f", directory, "g") == 0 && linkat(directory, "g", directory, "h", 0) == 0);
  CHECK(fstatat(directory, "h", &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_nlink == 2);
  CHECK(symlinkat("g", directory, "s") == 0);
  CHECK(fstatat(directory, "s", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode) && status.st_size == 1);
  CHECK(fstatat(directory, "s", &status, 0) == 0 && S_ISREG(status.st_mode));
  CHECK(fstatat(directory, "", &status, AT_EMPTY_PATH) == 0 && S_ISDIR(status.st_mode));
  FAILS(fstatat(directory, "", &status, 0), ENOENT);
  FAILS(fstatat(999, "g", &status, 0), EBADF);
  FAILS(stat("g/x", &status), ENOTDIR);
  const pid_t child = fork();
  if (child == 0) _exit(stat("g", &status) == 0 && chdir("..") == 0 ? 3 : 4);
  CHECK(ExitOf(child) == 3);
  CHECK(getcwd(after, sizeof(after)) != NULL && strncmp(before, after, strlen(before)) == 0);
  CHECK(strcmp(after + strlen(before), "/a/b") == 0);
  return Pass();
}
