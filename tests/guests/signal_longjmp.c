// Leaving a handler by siglongjmp a thousand times, from the normal and from the alternate stack, masks restored.
#include <setjmp.h>

#include "tests/guests/guest.h"

static sigjmp_buf back;

static void Handler(int sig) {
  CheckInside();
  siglongjmp(back, sig);
}

static void Leave(int flags) {
  struct sigaction action = {.sa_handler = Handler, .sa_flags = flags};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  for (volatile int i = 0; i < 1000; ++i) {
    sigset_t mask;
    if (sigsetjmp(back, 1) == 0) {
      raise(SIGUSR1);
      CHECK(0);
    }
    CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGUSR1));
    CheckInside();
  }
}

int main(void) {
  static char stack[64 << 10];
  jmp_buf plain;
  volatile int rounds = 0;
  if (setjmp(plain) < 100) {
    ++rounds;
    CheckInside();
    longjmp(plain, rounds);
  }
  CHECK(rounds == 100);
  const stack_t mine = {.ss_sp = stack, .ss_size = sizeof(stack)};
  Leave(0);
  CHECK(sigaltstack(&mine, NULL) == 0);
  Leave(SA_ONSTACK);
  return Pass();
}
