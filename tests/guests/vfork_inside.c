// The child of vfork(2) is inside, shares memory, and the parent goes on when it is gone.
#include "tests/guests/guest.h"

int main(int argc, char** argv) {
  if (argc > 1) {
    CheckInside();
    return 9;
  }
  static volatile uid_t seen;
  static volatile int stage;
  const char* self = argv[0];
  for (int i = 0; i < 20; ++i) {
    seen = (uid_t)-1;
    stage = 0;
    const pid_t child = vfork();
    if (child == 0) {
      seen = RawUid();
      stage = 1;
      if (i % 2 == 0) execl(self, self, "child", NULL);
      _exit(9);
    }
    CHECK(stage == 1 && seen == ExpectedUid());
    CHECK(ExitOf(child) == 9);
    CheckInside();
  }
  const pid_t child = vfork();
  if (child == 0) {
    execl("/no such program", "x", NULL);
    _exit(errno);
  }
  CHECK(ExitOf(child) == ENOENT);
  return Pass();
}
