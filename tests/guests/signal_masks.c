// sa_mask, SA_NODEFER, SA_RESETHAND, nesting: which signals can come while a handler runs, and the mask after it.
#include "tests/guests/guest.h"

static char order[64];
static void Note(char c) { order[strlen(order)] = c; }

static void Inner(int sig) {
  (void)sig;
  Note('i');
}

static void Outer(int sig) {
  (void)sig;
  Note('(');
  raise(SIGUSR2);
  Note(')');
}

static void Deep(int sig) {
  Note('d');
  if (strlen(order) < 8) raise(sig);
  Note('u');
}

static void Check(const char* expected) {
  sigset_t mask;
  if (strcmp(order, expected) != 0) fprintf(stderr, "%s instead of %s\n", order, expected);
  CHECK(strcmp(order, expected) == 0);
  memset(order, 0, sizeof(order));
  CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2));
}

static void Install(int sig, void (*handler)(int), int flags, int also) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  struct sigaction seen;
  sigemptyset(&action.sa_mask);
  if (also != 0) sigaddset(&action.sa_mask, also);
  CHECK(sigaction(sig, &action, NULL) == 0 && sigaction(sig, NULL, &seen) == 0);
  CHECK(seen.sa_handler == handler &&
        ((unsigned)seen.sa_flags & (SA_NODEFER | SA_RESETHAND | SA_RESTART)) == (unsigned)flags);
  CHECK(also == 0 || sigismember(&seen.sa_mask, also));
}

int main(void) {
  for (int i = 0; i < 50; ++i) {
    Install(SIGUSR2, Inner, 0, 0);
    Install(SIGUSR1, Outer, 0, 0);
    raise(SIGUSR1);
    Check("(i)");
    Install(SIGUSR1, Outer, SA_RESTART, SIGUSR2);
    raise(SIGUSR1);
    Check("()i");
    Install(SIGUSR1, Deep, SA_NODEFER, 0);
    raise(SIGUSR1);
    Check("dddddddduuuuuuuu");
    Install(SIGUSR1, Inner, SA_RESETHAND, 0);
    raise(SIGUSR1);
    Check("i");
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_DFL);
  }
  return Pass();
}
