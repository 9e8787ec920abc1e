// With RLIMIT_AS at 512 MiB the program, a child and an exec work: nothing reserves address space by the gigabyte.
#include <sys/resource.h>

#include "tests/guests/guest.h"

int main(int argc, char** argv) {
  if (argc > 1) {
    CheckInside();
    return Pass();
  }
  const struct rlimit limit = {512 << 20, 512 << 20};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  CheckInside();
  char* memory = malloc(100 << 20);
  CHECK(memory != NULL);
  memset(memory, 1, 100 << 20);
  const pid_t child = fork();
  if (child == 0) _exit(RawUid() == ExpectedUid() ? 2 : 3);
  CHECK(ExitOf(child) == 2);
  execl(argv[0], argv[0], "again", NULL);
  CHECK(0);
}
