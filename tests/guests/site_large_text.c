// A hundred megabytes of text, with sites at its start, in the middle and at its end.
#include "tests/guests/guest.h"

enum { kUses = 300 };
long large_start(void);
long large_middle(void);
long large_end(void);

__asm__(
    ".text\n"
    ".macro site name number\n"
    "\\name: mov $110, %eax; syscall; add $\\number, %rax; ret\n"  // getppid
    ".endm\n"
    "site large_start 1000\n"
    ".fill 50 << 20, 1, 0xcc\n"
    "site large_middle 2000\n"
    ".fill 50 << 20, 1, 0xcc\n"
    "site large_end 3000\n");

int main(void) {
  const long parent = getppid();
  CHECK((uintptr_t)large_end - (uintptr_t)large_start > (uintptr_t)100 << 20);
  for (int i = 0; i < kUses; ++i) {
    CHECK(large_start() == parent + 1000);
    CHECK(large_middle() == parent + 2000);
    CHECK(large_end() == parent + 3000);
  }
  return Pass();
}
