// SSE registers, MXCSR and the x87 control word survive syscalls.
#include "tests/guests/guest.h"

static void Try(long nr, long rdi, long rsi) {
  for (int round = 0; round < 50; ++round) {
    uint64_t before[32] __attribute__((aligned(16)));
    uint64_t after[32] __attribute__((aligned(16)));
    for (int i = 0; i < 32; ++i) before[i] = 0x0123456789abcdefull * (uint64_t)(i + round + 1);
    const uint32_t mxcsr = 0x1f80 | 0x6000;  // round towards zero
    const uint16_t x87 = 0x0f7f;
    uint32_t mxcsr_after;
    uint16_t x87_after;
    uint32_t mxcsr_was;
    uint16_t x87_was;
    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr_was), "=m"(x87_was));
#define EACH(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)
#define LOAD(n) "movdqa " #n "*16(%[before]), %%xmm" #n "\n"
#define STORE(n) "movdqa %%xmm" #n ", " #n "*16(%[after])\n"
    long rax = nr;
    __asm__ volatile("ldmxcsr %[mxcsr]; fldcw %[x87]\n" EACH(LOAD) "syscall\n" EACH(
                         STORE) "stmxcsr %[mxcsr_after]; fnstcw %[x87_after]; ldmxcsr %[mxcsr_was]; fldcw %[x87_was]\n"
                     : "+a"(rax), [mxcsr_after] "=m"(mxcsr_after), [x87_after] "=m"(x87_after)
                     : [before] "r"(before), [after] "r"(after), [mxcsr] "m"(mxcsr), [x87] "m"(x87),
                       [mxcsr_was] "m"(mxcsr_was), [x87_was] "m"(x87_was), "D"(rdi), "S"(rsi)
                     : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    CHECK(memcmp(before, after, sizeof(before)) == 0);
    CHECK(mxcsr_after == mxcsr && x87_after == x87);
  }
}

int main(void) {
  struct stat status;
  Try(SYS_getpid, 0, 0);
  Try(SYS_getuid, 0, 0);
  Try(SYS_stat, (long)"/", (long)&status);
  Try(SYS_sched_yield, 0, 0);
  return Pass();
}
