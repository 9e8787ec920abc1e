// Cancellation as musl and glibc since 2.41 do it: the handler looks whether rip lies between the start of the wrapper
// and the place behind its syscall instruction; if so nothing has happened, and it leaves. A call that has given
// something must never look like that.
#include <sys/syscall.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

extern const char range_begin[], range_end[];
long range_read(const volatile int* cancelled, int fd, void* to);
__asm__(
    ".globl range_read, range_begin, range_end\n"
    "range_read:\n"
    "  mov %rdi, %r11\n"
    "range_begin:\n"
    "  cmpl $0, (%r11)\n"
    "  jne 1f\n"
    "  mov %rsi, %rdi; mov %rdx, %rsi; mov $1, %edx; xor %eax, %eax\n"
    "  syscall\n"
    "range_end:\n"
    "  ret\n"
    "1: mov $-125, %rax\n"
    "  ret\n"
    "range_left:\n"
    "  mov $-125, %rax\n"
    "  ret\n");
extern const char range_left[];

static volatile int cancelled;

static void OnCancel(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  greg_t* regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  cancelled = 1;
  const uintptr_t rip = (uintptr_t)regs[REG_RIP];
  if (rip >= (uintptr_t)range_begin && rip < (uintptr_t)range_end) regs[REG_RIP] = (greg_t)range_left;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = OnCancel, .sa_flags = SA_SIGINFO | SA_RESTART};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  int left = 0, returned = 0;
  for (int i = 0; i < 300; ++i) {
    int ends[2];
    char byte = 0;
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
    const long result = range_read(&cancelled, ends[0], &byte);
    CHECK(ExitOf(child) == 0);
    CHECK(result == -125 || (result == 1 && byte == 'x'));
    CHECK(i % 2 == 0 || result == -125);
    // What was not read is still there.
    char rest;
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    const ssize_t more = read(ends[0], &rest, 1);
    CHECK((more == 1) == (i % 2 == 0 && result == -125));
    if (result == 1)
      ++returned;
    else
      ++left;
    close(ends[0]);
    close(ends[1]);
  }
  CHECK(left >= 150);
  return Pass();
}
