// The main stack grows by touching it, far below where the program began, also with an unlimited stack after exec.
#include <sys/resource.h>

#include "tests/guests/guest.h"

int main(int argc, char** argv) {
  char* here = __builtin_frame_address(0);
  for (size_t down = 4096; down < (7u << 20); down += 4096) {
    char* at = here - down;
    __asm__ volatile("movb $1, (%0)" : : "r"(at) : "memory");
  }
  CheckInside();
  if (argc > 1) return Pass();
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_STACK, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
  execl(argv[0], argv[0], "again", NULL);
  CHECK(0);
}
