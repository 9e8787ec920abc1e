// The program's own Syscall User Dispatch of the calls within a range, where the others are free
// (PR_SYS_DISPATCH_INCLUSIVE_ON, Linux 6.18).
#include <sys/prctl.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
enum { kOff = 0, kInclusiveOn = 2 };

static volatile char selector;
static volatile int caught;
extern const char inner_begin[], inner_end[];
long inner_call(long nr);
__asm__(
    "inner_begin:\n"
    "inner_call: mov %rdi, %rax\n"
    "  syscall\n"
    "inner_end:\n"
    "  ret\n");

static void OnSigsys(int signal, siginfo_t* info, void* context) {
  greg_t* const regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  CHECK(signal == SIGSYS && info->si_code == 2 && info->si_syscall == SYS_getpid);
  CHECK(info->si_call_addr == inner_end && regs[REG_RIP] == (greg_t)inner_end && regs[REG_RAX] == SYS_getpid);
  regs[REG_RAX] = 42;
  ++caught;
}

static long Dispatch(long mode, const void* start, unsigned long length, const volatile void* byte) {
  return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, start, length, byte);
}

int main(void) {
  // Behind the call, as the kernel sees it.
  const unsigned long length = (unsigned long)(inner_end - inner_begin) + 1;
  const long pid = getpid();
  FAILS(Dispatch(kInclusiveOn, 0, 0, 0), EINVAL);
  FAILS(Dispatch(kInclusiveOn, inner_begin, 0, 0), EINVAL);
  FAILS(Dispatch(kInclusiveOn, (void*)8, -8UL, 0), EINVAL);
  if (Dispatch(kInclusiveOn, inner_begin, length, (void*)(1UL << 63)) != -1 || errno != EFAULT) {
    return Unsupported("dispatch of a range");
  }
  CHECK(inner_call(SYS_getpid) == pid);
  const struct sigaction action = {.sa_sigaction = OnSigsys, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGSYS, &action, NULL) == 0);
  CHECK(Dispatch(kInclusiveOn, inner_begin, length, &selector) == 0);
  for (int i = 0; i < 100; ++i) {
    selector = 0;
    CHECK(inner_call(SYS_getpid) == pid && caught == i);
    selector = 1;
    CHECK(inner_call(SYS_getpid) == 42 && caught == i + 1);
    CHECK(syscall(SYS_getpid) == pid);
  }
  CHECK(Dispatch(kOff, 0, 0, 0) == 0);
  CHECK(inner_call(SYS_getpid) == pid);
  // Without a selector.
  CHECK(Dispatch(kInclusiveOn, inner_begin, length, NULL) == 0);
  CHECK(inner_call(SYS_getpid) == 42 && syscall(SYS_getpid) == pid);
  return Pass();
}
