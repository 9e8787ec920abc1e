// The whole vector state is in a handler's frame, where Linux puts it, and what the handler changes there holds.
#include <cpuid.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

static volatile int looked;

static void Handler(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  char* state = (char*)((ucontext_t*)context)->uc_mcontext.fpregs;
  uint32_t magic, size, tail;
  uint64_t features, low, high;
  memcpy(&magic, state + 464, 4);
  CHECK(((uintptr_t)state & 63) == 0 && magic == 0x46505853);  // FP_XSTATE_MAGIC1
  memcpy(&size, state + 468, 4);                               // of all
  memcpy(&tail, state + size - 4, 4);
  CHECK(size > 832 && tail == 0x46505845);  // FP_XSTATE_MAGIC2
  memcpy(&features, state + 472, 8);
  CHECK((features & 7) == 7);
  memcpy(&low, state + 160 + 16 * 3, 8);   // xmm3
  memcpy(&high, state + 576 + 16 * 3, 8);  // upper half of ymm3
  CHECK(low == 0x1111111111111111 && high == 0x2222222222222222);
  high = 0x3333333333333333;
  memcpy(state + 576 + 16 * 3, &high, 8);
  // The handler's own do not matter.
  __asm__ volatile("vzeroall" ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
  ++looked;
}

int main(void) {
  unsigned a, b, c, d;
  __cpuid(1, a, b, c, d);
  if ((c & bit_AVX) == 0 || (c & bit_OSXSAVE) == 0) return Pass();  // nothing to see on this CPU
  struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  const uint64_t before[4] = {0x1111111111111111, 0x1111111111111111, 0x2222222222222222, 0x2222222222222222};
  uint64_t after[4];
  for (int i = 0; i < 100; ++i) {
    long nr = SYS_tgkill;
    __asm__ volatile("vmovdqu %2, %%ymm3\n syscall\n vmovdqu %%ymm3, %1"
                     : "+a"(nr), "=m"(after)
                     : "m"(before), "D"((long)getpid()), "S"((long)getpid()), "d"((long)SIGUSR1)
                     : "rcx", "r11", "xmm3", "memory");
    CHECK(nr == 0 && looked == i + 1);
    CHECK(after[0] == before[0] && after[2] == 0x3333333333333333 && after[3] == before[3]);
  }
  return Pass();
}
