// execveat(2) with AT_SYMLINK_NOFOLLOW refuses a link, takes a file, and refuses unknown flags.
#include "tests/guests/guest.h"

extern char** environ;

int main(int argc, char** argv) {
  if (argc > 1) {
    CheckInside();
    return Pass();
  }
  char* const arguments[] = {argv[0], "again", NULL};
  CHECK(symlink(argv[0], "link") == 0);
  FAILS(syscall(SYS_execveat, AT_FDCWD, "link", arguments, environ, AT_SYMLINK_NOFOLLOW), ELOOP);
  FAILS(syscall(SYS_execveat, AT_FDCWD, argv[0], arguments, environ, 1), EINVAL);
  FAILS(syscall(SYS_execveat, 77, "relative", arguments, environ, 0), EBADF);
  FAILS(syscall(SYS_execveat, 77, "", arguments, environ, AT_EMPTY_PATH), EBADF);
  FAILS(syscall(SYS_execveat, 0, "", arguments, environ, 0), ENOENT);
  FAILS(syscall(SYS_execveat, AT_FDCWD, "", arguments, environ, AT_EMPTY_PATH), EACCES);  // the directory itself
  syscall(SYS_execveat, 77, argv[0], arguments, environ, AT_SYMLINK_NOFOLLOW);  // absolute: the directory is not used
  CHECK(0);
}
