// A handler's frame may name a stack segment that there is not. The return is a fault then, of the place that it was to
// go to; its handler has a stack segment all the same, and finds the bad one in its own frame.
#include <ucontext.h>

#include "tests/guests/guest.h"

enum { kNone = 0x57, kData = 0x2b };  // entry 10 of a table that is empty

static volatile int times, segment, handler_segment;
static greg_t segments;

static void Spoil(int signal, siginfo_t* info, void* context) {
  greg_t* regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  (void)signal;
  (void)info;
  segments = regs[REG_CSGSFS];
  regs[REG_CSGSFS] = (segments & 0xffffffffffffLL) | (greg_t)kNone << 48;
}

static void Mend(int signal, siginfo_t* info, void* context) {
  greg_t* regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  int mine;
  __asm__("mov %%ss, %0" : "=r"(mine));
  CHECK(signal == SIGSEGV && info->si_code == SI_KERNEL);
  handler_segment = mine;
  segment = (int)((uint64_t)regs[REG_CSGSFS] >> 48);
  regs[REG_CSGSFS] = segments;
  ++times;
}

static void RunAll(void) {
  for (int i = 1; i <= 10; ++i) {
    CHECK(raise(SIGUSR1) == 0 && times == i);
    CHECK(segment == kNone && handler_segment == kData);
  }
}

int main(void) {
  struct sigaction action = {.sa_sigaction = Spoil, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  action.sa_sigaction = Mend;
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  RunAll();
  return Pass();
}
