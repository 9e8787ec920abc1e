// Children of fork(2) and their children are inside the session, and see their own ids.
#include "tests/guests/guest.h"

int main(void) {
  CheckInside();
  for (int i = 0; i < 20; ++i) {
    const pid_t self = getpid();
    const pid_t child = fork();
    if (child == 0) {
      CheckInside();
      CHECK(getppid() == self && syscall(SYS_getpid) != self);
      const pid_t grandchild = fork();
      if (grandchild == 0) {
        CheckInside();
        _exit(7);
      }
      CHECK(ExitOf(grandchild) == 7);
      _exit(i);
    }
    CHECK(ExitOf(child) == i);
    CHECK(syscall(SYS_getpid) == self);
  }
  CHECK(wait(NULL) == -1 && errno == ECHILD);
  return Pass();
}
