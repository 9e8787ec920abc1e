// Sites of a program that is linked at a fixed address far from all else, and the break behind it.
#include "tests/guests/guest.h"

extern const char __executable_start[], etext[];

// Not inlined: one site.
static __attribute__((noinline)) long Call(long nr) {
  __asm__ volatile("syscall\n  cmp $-4096, %%rax" : "+a"(nr) : : "rcx", "r11", "memory");
  return nr;
}

int main(void) {
  const long parent = getppid();
  CHECK((uintptr_t)__executable_start == 0x400000 && (uintptr_t)Call < (uintptr_t)etext);
  for (int i = 0; i < 300; ++i) {
    CHECK(Call(SYS_getppid) == parent && Call(SYS_getuid) == (long)ExpectedUid());
    const long end = syscall(SYS_brk, 0);
    CHECK(end > (long)(uintptr_t)etext && syscall(SYS_brk, end + 4096) == end + 4096);
    *(volatile char*)end = *(volatile char*)(end + 4095) = 1;
    CHECK(syscall(SYS_brk, end) == end);
  }
  const pid_t child = fork();
  if (child == 0) {
    const long own_parent = getppid();
    for (int i = 0; i < 300; ++i) CHECK(Call(SYS_getppid) == own_parent);
    _exit(6);
  }
  CHECK(ExitOf(child) == 6);
  return Pass();
}
