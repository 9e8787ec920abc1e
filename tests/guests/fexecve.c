// fexecve(3): by a descriptor that is kept and by one that is closed on exec.
#include "tests/guests/guest.h"

extern char** environ;

int main(int argc, char** argv) {
  if (argc == 3) {
    CheckInside();
    return Pass();
  }
  const int round = argc - 1;
  if (round == 1) CheckInside();
  const int fd = open(argv[0], O_RDONLY | (round == 0 ? 0 : O_CLOEXEC));
  CHECK(fd >= 0);
  char* const first[] = {argv[0], "one", NULL};
  char* const second[] = {argv[0], "one", "two", NULL};
  fexecve(fd, round == 0 ? first : second, environ);
  CHECK(0);
}
