// A program that closes every descriptor it could have, in every way there is, stays inside and gets its numbers anew.
#include "tests/guests/guest.h"

static void StillInside(void) {
  CheckInside();
  struct stat status;
  CHECK(stat("/", &status) == 0);
  const pid_t child = fork();
  if (child == 0) {
    CheckInside();
    execlp("true", "true", NULL);
    _exit(99);
  }
  CHECK(ExitOf(child) == 0);
}

int main(int argc, char** argv) {
  if (argc == 1) {
    for (int fd = 3; fd < 1024; ++fd) close(fd);
    StillInside();
    FAILS(close(3), EBADF);
    CHECK(open("/", O_RDONLY) == 3 && open("/", O_RDONLY) == 4);
    CHECK(syscall(SYS_close_range, 3, ~0u, 0) == 0);
    FAILS(fcntl(3, F_GETFD), EBADF);
    StillInside();
    CHECK(syscall(SYS_close_range, 200, 300, 0) == 0);
    CHECK(syscall(SYS_close_range, 225, 225, 0) == 0);
    StillInside();
    CHECK(open("/", O_RDONLY) == 3);
    CHECK(syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */) == 0);
    CHECK(fcntl(3, F_GETFD) == FD_CLOEXEC);
    StillInside();
    CHECK(syscall(SYS_close_range, 3, ~0u, 2 /* CLOSE_RANGE_UNSHARE */) == 0);
    StillInside();
    FAILS(syscall(SYS_close_range, 5, 4, 0), EINVAL);
    FAILS(syscall(SYS_close_range, 5, 6, 64), EINVAL);
    for (int fd = 1023; fd >= 3; --fd) FAILS(close(fd), EBADF);
    execl(argv[0], argv[0], "again", NULL);
    CHECK(0);
  }
  StillInside();
  return Pass();
}
