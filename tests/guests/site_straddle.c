// Calls that lie on two cache lines, on two pages, or whose next instruction does, used often.
#include "tests/guests/guest.h"

extern const char straddle_first[];

// Code of 4096 bytes each whose call begins `back` bytes before the next page.
__asm__(
    ".text\n"
    ".p2align 12\n"
    "straddle_first:\n"
    ".macro straddle back\n"
    "  .skip 4096 - 5 - \\back, 0x90\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  cmp $-4096, %rax\n"
    "  ret\n"
    "  .p2align 12, 0x90\n"
    ".endm\n"
    "straddle 1\nstraddle 2\nstraddle 3\nstraddle 4\nstraddle 5\nstraddle 6\nstraddle 7\nstraddle 8\nstraddle 9\n"
    ".macro line back\n"
    "  .skip 64 - 5 - \\back, 0x90\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  cmp $-4096, %rax\n"
    "  ret\n"
    "  .p2align 6, 0x90\n"
    ".endm\n"
    "straddle_lines:\n"
    "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\nline 9\n");
extern const char straddle_lines[];

static void Use(const char* code) {
  const long parent = getppid();
  for (int i = 0; i < 300; ++i) CHECK(((long (*)(void))(uintptr_t)code)() == parent);
}

int main(void) {
  for (int back = 1; back <= 9; ++back) {
    Use(straddle_first + (size_t)(back - 1) * 8192 + 4096 - 5 - back);
    Use(straddle_lines + (back - 1) * 128 + 64 - 5 - back);
  }
  return Pass();
}
