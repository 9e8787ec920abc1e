// Cancellation by the range that rip lies in (cancel_by_range.c), at sites that become jumps: a call that is followed
// by an instruction which moves, and one in front of a return with a long nop behind it. A signal that comes before the
// call has given something is within the range, one that comes later is not.
#include <ucontext.h>

#include "tests/guests/guest.h"

#define RANGE(name, behind)                                      \
  extern const char name##_begin[], name##_end[];                \
  long name(const volatile int* cancelled, int fd, void* to);    \
  __asm__(".text\n.p2align 4\n" #name ": mov %rdi, %r11\n" #name \
          "_begin: cmpl $0, (%r11); jne range_left\n"            \
          "  mov %rsi, %rdi; mov %rdx, %rsi; mov $1, %edx; xor %eax, %eax; syscall\n" #name "_end: " behind "\n")

extern const char range_left[];
__asm__(".text\nrange_left: mov $-125, %rax; ret\n");
RANGE(moved, "cmp $-4096, %rax; ret");
RANGE(in_nop, "ret; nopl 0x12345678(%rax,%rax,1)");

static volatile int cancelled;

static void OnCancel(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  greg_t* const regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  const uintptr_t rip = (uintptr_t)regs[REG_RIP];
  cancelled = 1;
  const int is_within = (rip >= (uintptr_t)moved_begin && rip < (uintptr_t)moved_end) ||
                        (rip >= (uintptr_t)in_nop_begin && rip < (uintptr_t)in_nop_end);
  if (is_within) regs[REG_RIP] = (greg_t)range_left;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = OnCancel, .sa_flags = SA_SIGINFO | SA_RESTART};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  for (int i = 0; i < 400; ++i) {
    long (*const call)(const volatile int*, int, void*) = i % 4 < 2 ? moved : in_nop;
    int ends[2];
    char byte = 0, rest;
    CHECK(pipe(ends) == 0);
    cancelled = 0;
    const pid_t caller = getpid();
    const pid_t child = fork();
    if (child == 0) {
      for (volatile int spin = 0; spin < i * 20; ++spin) {
      }
      kill(caller, SIGUSR1);
      if (i % 2 == 0) CHECK(write(ends[1], "x", 1) == 1);
      _exit(0);
    }
    const long result = call(&cancelled, ends[0], &byte);
    CHECK(ExitOf(child) == 0);
    CHECK(result == -125 || (i % 2 == 0 && result == 1 && byte == 'x'));
    // What was not read is still there.
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK((read(ends[0], &rest, 1) == 1) == (i % 2 == 0 && result == -125));
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
  }
  return Pass();
}
