// Over an exec ignored signals stay ignored, handlers become the default, the mask and the alternate stack's end hold.
#include "tests/guests/guest.h"

static void Handler(int sig) { (void)sig; }

int main(int argc, char** argv) {
  if (argc == 1) {
    static char stack[64 << 10];
    const stack_t mine = {.ss_sp = stack, .ss_size = sizeof(stack)};
    sigset_t mask;
    CHECK(sigaltstack(&mine, NULL) == 0);
    for (int sig = 1; sig < 32; ++sig) signal(sig, sig % 2 == 0 ? SIG_IGN : Handler);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
    execl(argv[0], argv[0], "again", NULL);
    CHECK(0);
  }
  CheckInside();
  for (int sig = 1; sig < 32; ++sig) {
    struct sigaction action;
    if (sig == SIGKILL || sig == SIGSTOP) continue;
    CHECK(sigaction(sig, NULL, &action) == 0);
    if (action.sa_handler != (sig % 2 == 0 ? SIG_IGN : SIG_DFL)) fprintf(stderr, "signal %d\n", sig);
    CHECK(action.sa_handler == (sig % 2 == 0 ? SIG_IGN : SIG_DFL));
  }
  stack_t now;
  sigset_t mask;
  CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE);
  CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2));
  return Pass();
}
