// Calls with a stack pointer that is null, odd, or at an unmapped page: the kernel does not look at it, and nobody else
// may.
#include "tests/guests/guest.h"

static long CallOn(uint64_t sp, long nr) {
  uint64_t kept;
  __asm__ volatile(
      "mov %%rsp, %[kept]\n\t"
      "mov %[sp], %%rsp\n\t"
      "syscall\n\t"
      "cmp %[sp], %%rsp\n\t"
      "mov %[kept], %%rsp\n\t"
      "je 1f\n\t"
      "mov $-9999, %%rax\n"
      "1:"
      : "+a"(nr), [kept] "=&r"(kept)
      : [sp] "r"(sp)
      : "rcx", "r11", "memory", "cc");
  return nr;
}

int main(void) {
  static char small[64];
  // The first is not canonical: a kernel that has its hypervisor return to user mode faults there.
  const uint64_t stacks[] = {0x800000000000u, 0, 1, 7, 4096, 0xfffffffffffffff8u, (uint64_t)(uintptr_t)small + 3};
  const unsigned first = HasInt80() ? 0 : 1;
  const long uid = ExpectedUid();
  const long pid = getpid();
  for (unsigned i = first; i < sizeof(stacks) / sizeof(stacks[0]); ++i) {
    for (int round = 0; round < 3; ++round) {
      CHECK(CallOn(stacks[i], SYS_getuid) == uid);
      CHECK(CallOn(stacks[i], SYS_getpid) == pid);
      CHECK(CallOn(stacks[i], 1023) == -ENOSYS);
    }
  }
  for (unsigned i = 0; i < sizeof(small); ++i) CHECK(small[i] == 0);
  return Pass();
}
