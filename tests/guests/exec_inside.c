// A program that an exec replaces another with is inside from its first instruction: arguments, environment, files,
// ignored signals and the process's identity come through.
#include "tests/guests/guest.h"

int main(int argc, char** argv) {
  if (argc == 1) {
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", getpid());
    CHECK(open("inherited", O_CREAT | O_RDWR, 0600) == 3);
    CHECK(open("closed", O_CREAT | O_RDWR | O_CLOEXEC, 0600) == 4);
    signal(SIGUSR1, SIG_IGN);
    umask(027);
    CHECK(setenv("A", "", 1) == 0 && setenv("B", "b = c", 1) == 0);
    execl(argv[0], argv[0], pid, "", "two words", "\"quoted\\", NULL);
    CHECK(0);
  }
  CheckInside();
  CHECK(argc == 5 && argv[5] == NULL && atoi(argv[1]) == getpid());
  CHECK(argv[2][0] == '\0' && strcmp(argv[3], "two words") == 0 && strcmp(argv[4], "\"quoted\\") == 0);
  CHECK(strcmp(getenv("A"), "") == 0 && strcmp(getenv("B"), "b = c") == 0);
  CHECK(fcntl(3, F_GETFD) == 0);
  FAILS(fcntl(4, F_GETFD), EBADF);
  CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
  CHECK(umask(022) == 027);
  return Pass();
}
