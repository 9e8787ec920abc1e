// Children that signals end look to their parent as they do natively, by any signal, by a fault, and with a handler
// gone.
#include <sys/prctl.h>

#include "tests/guests/guest.h"

int main(void) {
  static const int kDeadly[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,  SIGFPE, SIGKILL,
                                SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGSYS, 40};
  for (unsigned i = 0; i < sizeof(kDeadly) / sizeof(kDeadly[0]); ++i) {
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_DUMPABLE, 0);
      CheckInside();
      raise(kDeadly[i]);
      _exit(1);
    }
    CHECK(ExitOf(child) == 128 + kDeadly[i]);
  }
  static const int kHarmless[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
  for (unsigned i = 0; i < 4; ++i) {
    CHECK(raise(kHarmless[i]) == 0);
    CheckInside();
  }
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_DUMPABLE, 0);
    volatile int* volatile nowhere = (volatile int*)16;
    *nowhere = 1;
  }
  CHECK(ExitOf(child) == 128 + SIGSEGV);
  const pid_t other = fork();
  if (other == 0) {
    prctl(PR_SET_DUMPABLE, 0);
    abort();
  }
  CHECK(ExitOf(other) == 128 + SIGABRT);
  return Pass();
}
