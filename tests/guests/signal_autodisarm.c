// SS_AUTODISARM: no alternate stack inside the handler, which may set another; the old one is back after it.
#include "tests/guests/guest.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char first[65536], second[65536];
static volatile sig_atomic_t count;

static void Handler(int sig) {
  stack_t now;
  const stack_t other = {.ss_sp = second, .ss_size = sizeof(second)};
  char* here = (char*)&now;
  CHECK(sig == SIGUSR1 && here > first && here < first + sizeof(first));
  CHECK(sigaltstack(&other, &now) == 0 && (now.ss_flags & SS_DISABLE) != 0 && now.ss_size == 0);
  ++count;
}

int main(void) {
  const stack_t stack = {.ss_sp = first, .ss_size = sizeof(first), .ss_flags = (int)SS_AUTODISARM};
  const struct sigaction action = {.sa_handler = Handler, .sa_flags = SA_ONSTACK};
  CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
  for (int i = 1; i <= 3; ++i) {
    stack_t now;
    CHECK(raise(SIGUSR1) == 0 && count == i && sigaltstack(NULL, &now) == 0);
    CHECK(now.ss_sp == first && now.ss_size == sizeof(first) && now.ss_flags == (int)SS_AUTODISARM);
  }
  return Pass();
}
