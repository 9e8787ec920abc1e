// brk grows by 64 MiB, is there in a child, and shrinks again; in a program at a fixed address it begins behind its
// bss.
#include "tests/guests/guest.h"

extern const char __executable_start[], _end[];

int main(void) {
  const uintptr_t start = (uintptr_t)syscall(SYS_brk, 0);
  CHECK(start != 0);
  // ABI: ELF_ET_DYN_BASE lies far above.
  const int is_fixed = (uintptr_t)__executable_start < 0x10000000;
  if (is_fixed) CHECK(start >= (uintptr_t)_end && start - (uintptr_t)_end <= (1u << 30) + 4096);
  enum { kStep = 1 << 20 };
  for (uintptr_t i = 1; i <= 64; ++i) {
    const uintptr_t wanted = start + i * kStep;
    CHECK((uintptr_t)syscall(SYS_brk, wanted) == wanted);
    *(volatile char*)(wanted - 1) = (char)i;
    *(volatile char*)(wanted - kStep) = (char)i;
  }
  CheckInside();
  const pid_t child = fork();
  if (child == 0) _exit(*(volatile char*)(start + 64 * (uintptr_t)kStep - 1) == 64 ? 3 : 4);
  CHECK(ExitOf(child) == 3);
  CHECK((uintptr_t)syscall(SYS_brk, start) == start);
  return Pass();
}
