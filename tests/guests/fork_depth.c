// A hundred generations, each the child of the last, all alive at once.
#include "tests/guests/guest.h"

int main(void) {
  for (int depth = 0; depth < 100; ++depth) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child != 0) {
      const int code = ExitOf(child);
      CheckInside();
      if (depth == 0) CHECK(code == 5);
      if (depth == 0) return Pass();
      _exit(code);
    }
    CheckInside();
  }
  _exit(5);
}
