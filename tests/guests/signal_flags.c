// SA_RESETHAND runs a handler once, SA_NODEFER lets it nest, SA_NOCLDWAIT leaves no zombie.
#include "tests/guests/guest.h"

static volatile sig_atomic_t depth, deepest, count;

static void Nest(int sig) {
  ++count;
  if (++depth > deepest) deepest = depth;
  if (depth < 3) raise(sig);
  --depth;
}

static void Set(int sig, void (*handler)(int), int flags) {
  const struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  CHECK(sigaction(sig, &action, NULL) == 0);
}

int main(void) {
  struct sigaction old;
  Set(SIGUSR1, Nest, SA_NODEFER);
  CHECK(raise(SIGUSR1) == 0 && deepest == 3 && count == 3 && depth == 0);
  depth = 2;
  Set(SIGUSR2, Nest, (int)SA_RESETHAND);
  CHECK(raise(SIGUSR2) == 0 && count == 4);
  CHECK(sigaction(SIGUSR2, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
  Set(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
  const pid_t child = fork();
  if (child == 0) _exit(0);
  FAILS(waitpid(child, NULL, 0), ECHILD);
  return Pass();
}
