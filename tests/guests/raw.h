// Linux without libc: what guests need that bring their own _start.
#ifndef GUISE_TESTS_GUESTS_RAW_H_
#define GUISE_TESTS_GUESTS_RAW_H_

#include <asm/unistd.h>

static inline long Call(long nr, long a, long b, long c, long d) {
  register long r10 __asm__("r10") = d;
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return result;
}

static inline void Print(const char* text) {
  long length = 0;
  while (text[length] != '\0') ++length;
  Call(__NR_write, 1, (long)text, length, 0);
}

static inline void PrintNumber(unsigned long number, const char* after) {
  char digits[24];
  int at = 23;
  digits[at] = '\0';
  do digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  Print(digits + at);
  Print(after);
}

static inline __attribute__((noreturn)) void Exit(int code) {
  for (;;) Call(__NR_exit_group, code, 0, 0, 0);
}

// The program: `stack` is what the kernel left there (argc, argv, 0, envp, 0, auxv).
__attribute__((noreturn, used)) void Start(long* stack);
__asm__(
    ".text\n"
    ".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call Start\n");

#endif  // GUISE_TESTS_GUESTS_RAW_H_
