// Code that is called with a trap behind each of its instructions, which SIGTRAP tells of.
#ifndef GUISE_TESTS_GUESTS_STEPPED_CODE_H_
#define GUISE_TESTS_GUESTS_STEPPED_CODE_H_

// What `code`, a function without arguments that changes rcx, rdx and r11 alone, returns in rax. Beside the
// caller's red zone.
static long Stepped(const char* code) {
  enum { kTrapFlag = 0x100 };
  long result;
  __asm__ volatile(
      "sub $128, %%rsp\n"
      "pushf; orq %2, (%%rsp); popf\n"
      "call *%1\n"
      "pushf; andq %3, (%%rsp); popf\n"
      "add $128, %%rsp\n"
      : "=&a"(result)
      : "r"(code), "i"(kTrapFlag), "i"(~kTrapFlag)
      : "rcx", "rdx", "r11", "memory", "cc");
  return result;
}

#endif  // GUISE_TESTS_GUESTS_STEPPED_CODE_H_
