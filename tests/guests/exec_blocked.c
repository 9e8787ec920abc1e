// Exec with every signal blocked: the new program runs, inside, and finds the mask and what is pending.
#include "tests/guests/guest.h"

static volatile sig_atomic_t got;
static void Handler(int sig) { got = sig; }

int main(int argc, char** argv) {
  sigset_t mask;
  sigset_t pending;
  if (argc == 1) {
    sigfillset(&mask);
    CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    execl(argv[0], argv[0], "again", NULL);
    CHECK(0);
  }
  CheckInside();
  CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
  // SIGSYS too, as the guest sees it; 32 and 33 belong to the libc.
  for (int sig = 1; sig < 32; ++sig) CHECK(sigismember(&mask, sig) == (sig != SIGKILL && sig != SIGSTOP));
  for (int sig = 35; sig <= 64; ++sig) CHECK(sigismember(&mask, sig));
  CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
  signal(SIGUSR1, Handler);
  sigemptyset(&mask);
  CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
  CHECK(got == SIGUSR1);
  return Pass();
}
