// With RLIMIT_NOFILE at 8 and at 3 the program, its children and what they execute stay inside.
#include <sys/resource.h>

#include "tests/guests/guest.h"

static void Try(const char* self, rlim_t limit) {
  const pid_t child = fork();
  if (child == 0) {
    const struct rlimit low = {limit, limit};
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    CheckInside();
    execl(self, self, "child", NULL);
    CHECK(0);
  }
  CHECK(ExitOf(child) == 4);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    CheckInside();
    const pid_t child = fork();
    if (child == 0) {
      CheckInside();
      _exit(4);
    }
    return ExitOf(child);
  }
  Try(argv[0], 64);
  Try(argv[0], 8);
  // A dynamic program cannot open its libraries with 3: only those that need none are tried.
  const struct rlimit three = {3, 1024};
  struct rlimit was;
  CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0 && setrlimit(RLIMIT_NOFILE, &three) == 0);
  CheckInside();
  FAILS(open("/", O_RDONLY), EMFILE);
  const pid_t child = fork();
  if (child == 0) {
    CheckInside();
    _exit(8);
  }
  CHECK(ExitOf(child) == 8);
  CheckInside();
  return Pass();
}
