// A program steps through its own code by the trap flag, over calls that it has used often and over fresh ones: each
// step is one over an instruction of its own. Natively there is none between a call and the instruction behind it; one
// more does no harm. A handler that steps itself ends that by its return: the flag is that of what it interrupted.
#include <ucontext.h>

#include "tests/guests/guest.h"

enum { kTrapFlag = 0x100, kMost = 64 };
extern const char stepped_sites[], stepped_end[];
extern const uintptr_t behind[3];

__asm__(
    ".text\n"
    ".p2align 4\n"
    "stepped_sites:\n"
    "  mov $110, %eax; syscall; 1: cmp $-4096, %rax; mov %rax, %rsi; nop; nop; nop\n"  // getppid
    "  mov $102, %eax; syscall; 2: cmp $-4096, %rax; mov %rax, %rdi\n"                 // getuid
    "  mov $89, %eax; mov $8, %edi; syscall; 3: cmp $-4096, %rax; mov %rsi, %rax\n"    // readlink
    "  ret\n"
    "stepped_end:\n"
    ".section .data.rel.ro, \"aw\"\n"
    ".p2align 3\n"
    "behind: .quad 1b, 2b, 3b\n"
    ".text\n");

static volatile int count;
static volatile uintptr_t steps[kMost];

static void OnTrap(int signal, siginfo_t* info, void* context) {
  (void)signal;
  const uintptr_t rip = (uintptr_t)((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
  CHECK(info->si_code == TRAP_TRACE);
  if (rip < (uintptr_t)stepped_sites || rip >= (uintptr_t)stepped_end) return;
  for (size_t i = 0; i < 3; ++i) {
    if (rip == behind[i]) return;
  }
  CHECK(count < kMost);
  steps[count++] = rip - (uintptr_t)stepped_sites;
}

static long Run(int is_stepped) {
  long result;
  __asm__ volatile(
      "sub $128, %%rsp\n"
      "test %1, %1; jz 1f\n"
      "pushf; orq %2, (%%rsp); popf\n"
      "1: call stepped_sites\n"
      "pushf; andq %3, (%%rsp); popf\n"
      "add $128, %%rsp\n"
      : "=&a"(result)
      : "r"(is_stepped), "i"(kTrapFlag), "i"(~kTrapFlag)
      : "rcx", "rdx", "rsi", "rdi", "r11", "memory", "cc");
  return result;
}

static volatile long all_steps;

static void CountStep(int signal) {
  (void)signal;
  // Who is stepped for ever shall still end.
  CHECK(++all_steps < 100000);
}

static void StepYourself(int signal) {
  (void)signal;
  __asm__ volatile("pushf; orq %0, (%%rsp); popf" ::"i"(kTrapFlag) : "memory", "cc");
}

static void InHandler(void) {
  CHECK(signal(SIGTRAP, CountStep) != SIG_ERR && signal(SIGUSR1, StepYourself) != SIG_ERR);
  for (int i = 0; i < 40; ++i) {
    const long before = all_steps;
    CHECK(raise(SIGUSR1) == 0);
    const long behind = all_steps;
    unsigned long flags;
    __asm__ volatile("sub $128, %%rsp; pushf; pop %0; add $128, %%rsp" : "=r"(flags)::"memory", "cc");
    CHECK(behind > before && all_steps == behind && (flags & kTrapFlag) == 0);
  }
}

int main(void) {
  static uintptr_t first[kMost];
  const long parent = getppid();
  const struct sigaction action = {.sa_sigaction = OnTrap, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
  CHECK(Run(1) == parent);
  const int first_count = count;
  CHECK(first_count == 14);
  memcpy(first, (const void*)(uintptr_t)steps, sizeof(first));
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 60; ++i) CHECK(Run(0) == parent);
    count = 0;
    CHECK(Run(1) == parent);
    CHECK(count == first_count);
    for (int i = 0; i < count; ++i) CHECK(steps[i] == first[i]);
  }
  InHandler();
  return Pass();
}
