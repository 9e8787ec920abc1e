// An exec that the kernel itself refuses, after all that is looked at before: the caller goes on as it was, with its
// mask, its fds and the signals that came meanwhile.
#include <sys/time.h>

#include "tests/guests/guest.h"

static volatile sig_atomic_t ticks;
static void OnTick(int signal) {
  (void)signal;
  ++ticks;
}

int main(int argc, char** argv) {
  (void)argc;
  sigset_t mask, now;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, SIGSYS);
  CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
  CHECK(raise(SIGTERM) == 0 && raise(SIGSYS) == 0);
  signal(SIGALRM, OnTick);
  const struct itimerval often = {{0, 300}, {0, 300}};
  CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
  // One string above MAX_ARG_STRLEN: execve(2).
  char* big = malloc(132 * 1024);
  CHECK(big != NULL);
  memset(big, 'x', 132 * 1024 - 1);
  big[132 * 1024 - 1] = 0;
  char* const too_big[] = {argv[0], big, NULL};
  const int lowest = open("/dev/null", O_RDONLY);
  CHECK(close(lowest) == 0);
  for (int i = 0; i < 200 || ticks < 20; ++i) {
    FAILS(execv(argv[0], too_big), E2BIG);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && memcmp(&now, &mask, 8) == 0);
  }
  const struct itimerval never = {{0, 0}, {0, 0}};
  CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
  CHECK(open("/dev/null", O_RDONLY) == lowest);
  CHECK(sigpending(&now) == 0 && sigismember(&now, SIGTERM) && sigismember(&now, SIGSYS));
  return Pass();
}
