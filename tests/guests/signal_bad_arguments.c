// What rt_sigaction refuses, and what it keeps of flags.
#include "tests/guests/guest.h"

struct kernel_action {
  void* handler;
  unsigned long flags;
  void* restorer;
  uint64_t mask;
};

static long Set(long signal, const void* action, void* old, long size) {
  return syscall(SYS_rt_sigaction, signal, action, old, size);
}

int main(void) {
  struct kernel_action action = {SIG_IGN, 0, NULL, 0}, old;
  FAILS(Set(0, &action, NULL, 8), EINVAL);
  FAILS(Set(65, &action, NULL, 8), EINVAL);
  FAILS(Set(-1, NULL, NULL, 8), EINVAL);
  FAILS(Set(SIGKILL, &action, NULL, 8), EINVAL);
  FAILS(Set(SIGSTOP, &action, NULL, 8), EINVAL);
  FAILS(Set(SIGUSR1, &action, NULL, 4), EINVAL);
  FAILS(Set(SIGUSR1, &action, NULL, 16), EINVAL);
  FAILS(Set(SIGUSR1, (void*)8, NULL, 8), EFAULT);
  FAILS(Set(0, (void*)8, NULL, 8), EFAULT);
  CHECK(Set(SIGKILL, NULL, &old, 8) == 0 && old.handler == SIG_DFL && old.flags == 0 && old.mask == 0);
  CHECK(Set(64, NULL, &old, 8) == 0 && Set(SIGUSR1, NULL, NULL, 8) == 0);
  // The new action is in force though the old one could not be told.
  FAILS(Set(SIGUSR1, &action, (void*)8, 8), EFAULT);
  CHECK(Set(SIGUSR1, NULL, &old, 8) == 0 && old.handler == SIG_IGN);
  for (const int* signal = (const int[]){SIGUSR1, SIGSEGV, SIGSYS, 0}; *signal != 0; ++signal) {
    // SA_UNSUPPORTED and bits that mean nothing are cleared: sigaction(2), dynamically probing.
    action = (struct kernel_action){main, 0x400 | 0x10 | SA_SIGINFO | SA_NODEFER | SA_RESTART | 0x04000000, main, ~0UL};
    CHECK(Set(*signal, &action, NULL, 8) == 0 && Set(*signal, NULL, &old, 8) == 0);
    CHECK(old.handler == (void*)main && old.restorer == (void*)main);
    CHECK(old.flags == (SA_SIGINFO | SA_NODEFER | SA_RESTART | 0x04000000UL));
    CHECK(old.mask == (~0UL & ~(1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1))));
    action.flags = 0x800 | 0x04000000;  // SA_EXPOSE_TAGBITS
    action.handler = SIG_DFL;
    CHECK(Set(*signal, &action, &old, 8) == 0 && Set(*signal, NULL, &old, 8) == 0);
    CHECK(old.flags == (0x800 | 0x04000000UL) && old.handler == SIG_DFL);
  }
  // The mask.
  uint64_t set = ~0UL;
  FAILS(syscall(SYS_rt_sigprocmask, 7, &set, NULL, 8), EINVAL);
  FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
  FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void*)8, NULL, 8), EFAULT);
  CHECK(syscall(SYS_rt_sigprocmask, 7, NULL, &set, 8) == 0 && set == 0);
  FAILS(syscall(SYS_rt_sigprocmask, 0, NULL, (void*)8, 8), EFAULT);
  FAILS(syscall(SYS_rt_sigpending, &set, 9), EINVAL);
  CHECK(syscall(SYS_rt_sigpending, &set, 4) == 0);
  FAILS(syscall(SYS_rt_sigpending, (void*)8, 8), EFAULT);
  FAILS(syscall(SYS_rt_sigsuspend, &set, 4), EINVAL);
  FAILS(syscall(SYS_rt_sigsuspend, (void*)8, 8), EFAULT);
  return Pass();
}
