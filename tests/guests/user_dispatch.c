// The program's own Syscall User Dispatch: selector, allowed range, siginfo; not for children; off again.
#include <linux/audit.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static volatile char selector;
static volatile int caught;
extern const char inner_begin[], inner_end[];
long inner_call(long nr, ...);
__asm__(
    "inner_begin:\n"
    "inner_call: mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %rdx; mov %r8, %r10; mov %r9, %r8\n"
    "  syscall\n"
    "  ret\n"
    "inner_restore: mov $15, %eax\n"
    "  syscall\n"
    "inner_end:\n");
extern const char inner_restore[];

static void OnSigsys(int signal, siginfo_t* info, void* context) {
  greg_t* regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  selector = 0;
  CHECK(signal == SIGSYS && info->si_code == 2 && info->si_errno == 0);
  CHECK(info->si_syscall == 1234 && info->si_arch == AUDIT_ARCH_X86_64);
  CHECK(info->si_call_addr == (void*)regs[REG_RIP] && regs[REG_RAX] == 1234);
  regs[REG_RAX] = 42;
  ++caught;
}

static long Dispatch(long mode, const void* start, long length, const volatile void* byte) {
  return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, start, length, byte);
}

int main(void) {
  FAILS(Dispatch(7, 0, 0, 0), EINVAL);
  FAILS(Dispatch(0, (void*)1, 0, 0), EINVAL);
  FAILS(Dispatch(1, (void*)8, -8, 0), EINVAL);
  FAILS(Dispatch(1, 0, 0, (void*)0x8000000000000000), EFAULT);
  // The kernel's structure: this handler returns by an instruction that is let through.
  const struct {
    const void* handler;
    unsigned long flags;
    const void* restorer;
    uint64_t mask;
  } action = {OnSigsys, SA_SIGINFO | 0x04000000, inner_restore, 0};
  CHECK(syscall(SYS_rt_sigaction, SIGSYS, &action, NULL, 8) == 0);
  CHECK(Dispatch(1, inner_begin, inner_end - inner_begin, &selector) == 0);
  CHECK(syscall(1234) == -1 && errno == ENOSYS && caught == 0);
  selector = 1;
  CHECK(syscall(1234) == 42 && caught == 1 && selector == 0);
  selector = 1;
  const long parent = inner_call(SYS_getppid);
  selector = 0;
  CHECK(parent == getppid() && caught == 1);
  // Children are free.
  const pid_t child = fork();
  if (child == 0) {
    selector = 1;
    _exit(getppid() > 0 ? 3 : 1);
  }
  CHECK(ExitOf(child) == 3);
  const pid_t killed = fork();
  if (killed == 0) {
    Dispatch(1, inner_begin, inner_end - inner_begin, &selector);
    selector = 2;  // neither
    getppid();
    _exit(1);
  }
  CHECK(ExitOf(killed) == 128 + SIGSYS);
  CHECK(Dispatch(0, 0, 0, 0) == 0);
  selector = 1;
  CHECK(syscall(1234) == -1 && errno == ENOSYS && caught == 1);
  return Pass();
}
