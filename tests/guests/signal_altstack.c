// sigaltstack: handlers run on it, say so, and its state is what the program set.
#include <ucontext.h>

#include "tests/guests/guest.h"

enum { kSize = 64 << 10 };
static char* stack;
static volatile int on_it;

static int IsOn(const void* address) { return (const char*)address >= stack && (const char*)address < stack + kSize; }

static void Handler(int sig, siginfo_t* info, void* context) {
  stack_t now;
  (void)sig;
  (void)info;
  on_it = IsOn(__builtin_frame_address(0));
  CHECK(IsOn(context) == on_it);
  CHECK(sigaltstack(NULL, &now) == 0);
  CHECK(now.ss_flags == (on_it ? SS_ONSTACK : 0) && now.ss_sp == stack && now.ss_size == kSize);
  const ucontext_t* uc = context;
  CHECK(uc->uc_stack.ss_sp == stack && uc->uc_stack.ss_size == kSize);
  now.ss_flags = 0;
  if (on_it) FAILS(sigaltstack(&now, NULL), EPERM);
}

int main(void) {
  stack_t now;
  CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE && now.ss_sp == NULL && now.ss_size == 0);
  stack = malloc(kSize);
  const stack_t mine = {.ss_sp = stack, .ss_flags = 0, .ss_size = kSize};
  CHECK(sigaltstack(&mine, &now) == 0 && now.ss_flags == SS_DISABLE);
  for (int i = 0; i < 50; ++i) {
    struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    raise(SIGUSR1);
    CHECK(on_it == 1);
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == 0 && now.ss_sp == stack);
    action.sa_flags = SA_SIGINFO;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    raise(SIGUSR1);
    CHECK(on_it == 0);
  }
  const pid_t child = fork();
  if (child == 0) {
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack && now.ss_flags == 0);
    raise(SIGUSR1);
    _exit(4);
  }
  CHECK(ExitOf(child) == 4);
  const stack_t small = {.ss_sp = stack, .ss_flags = 0, .ss_size = 100};
  FAILS(sigaltstack(&small, NULL), ENOMEM);
  const stack_t odd = {.ss_sp = stack, .ss_flags = 64, .ss_size = kSize};
  FAILS(sigaltstack(&odd, NULL), EINVAL);
  const stack_t off = {.ss_flags = SS_DISABLE};
  CHECK(sigaltstack(&off, NULL) == 0 && sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE);
  return Pass();
}
