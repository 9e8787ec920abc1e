// Writing to a pipe that nobody reads: SIGPIPE ends the program, or EPIPE when it is ignored.
#include "tests/guests/guest.h"

int main(void) {
  int fds[2];
  CHECK(pipe(fds) == 0 && close(fds[0]) == 0);
  const pid_t child = fork();
  if (child == 0) {
    CHECK(write(fds[1], "x", 1) == 12345);
  }
  CHECK(ExitOf(child) == 128 + SIGPIPE);
  signal(SIGPIPE, SIG_IGN);
  FAILS(write(fds[1], "x", 1), EPIPE);
  CheckInside();
  return Pass();
}
