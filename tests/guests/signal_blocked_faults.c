// Calls that read and write the caller's memory while SIGSEGV and SIGBUS are blocked, as posix_spawn(3) makes them for
// each signal: a bad pointer is EFAULT, and kills nobody.
#include <sys/mman.h>

#include "tests/guests/guest.h"

struct kernel_action {
  void* handler;
  unsigned long flags;
  void* restorer;
  uint64_t mask;
};

// Sites of their own, which are soon rewritten.
static long Action(long signal, const void* action, void* old) {
  register long size __asm__("r10") = 8;
  long result;
  __asm__ volatile("syscall\n\tadd $0, %%rax"
                   : "=a"(result)
                   : "a"(SYS_rt_sigaction), "D"(signal), "S"(action), "d"(old), "r"(size)
                   : "rcx", "r11", "memory", "cc");
  return result;
}
static long AltStack(const void* stack, void* old) {
  long result;
  __asm__ volatile("syscall\n\tadd $0, %%rax"
                   : "=a"(result)
                   : "a"(SYS_sigaltstack), "D"(stack), "S"(old)
                   : "rcx", "r11", "memory", "cc");
  return result;
}

int main(void) {
  const size_t page = 4096;
  // The end of a page, and nothing behind it; and one that may only be read.
  char* const pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED && munmap(pages + page, page) == 0);
  CHECK(mprotect(pages + 2 * page, page, PROT_READ) == 0);
  struct kernel_action* const last = (struct kernel_action*)(pages + page - sizeof(*last));
  void* const crossing = pages + page - 16;
  void* const constant = pages + 2 * page;

  sigset_t all;
  sigfillset(&all);
  CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  for (int i = 0; i < 200; ++i) {
    struct kernel_action old = {main, 1, main, 1};
    const struct kernel_action ignore = {SIG_IGN, SA_RESTART, NULL, 1}, standard = {SIG_DFL, 0, NULL, 0};
    CHECK(Action(SIGUSR1, NULL, &old) == 0 && old.handler == SIG_DFL && old.flags == 0 && old.mask == 0);
    *last = ignore;
    CHECK(Action(SIGUSR1, last, &old) == 0 && old.handler == SIG_DFL);
    CHECK(Action(SIGUSR1, &standard, last) == 0 && last->handler == SIG_IGN && last->flags == SA_RESTART);
    CHECK(Action(SIGUSR1, crossing, NULL) == -EFAULT && Action(SIGUSR1, NULL, crossing) == -EFAULT);
    CHECK(Action(SIGUSR1, (void*)8, NULL) == -EFAULT && Action(SIGUSR1, NULL, (void*)8) == -EFAULT);
    CHECK(Action(SIGUSR1, constant, NULL) == 0 && Action(SIGUSR1, NULL, constant) == -EFAULT);
    CHECK(Action(SIGKILL, &standard, NULL) == -EINVAL && Action(SIGKILL, (void*)8, NULL) == -EFAULT);
    // What is refused writes nothing.
    old.mask = 77;
    CHECK(Action(65, NULL, &old) == -EINVAL && old.mask == 77);

    stack_t stack = {.ss_sp = pages, .ss_flags = 0, .ss_size = 4096}, kept;
    CHECK(AltStack(&stack, NULL) == 0 && AltStack(NULL, &kept) == 0 && kept.ss_sp == pages);
    CHECK(AltStack(crossing, NULL) == -EFAULT && AltStack(NULL, crossing) == -EFAULT);
    CHECK(AltStack((void*)8, NULL) == -EFAULT && AltStack(NULL, constant) == -EFAULT);
    stack.ss_flags = SS_DISABLE;
    CHECK(AltStack(&stack, NULL) == 0);

    // A signal that waits is dropped when it is given an action that ignores it, though it had that before.
    CHECK(raise(SIGCHLD) == 0 && Action(SIGCHLD, &standard, NULL) == 0);
    sigset_t pending;
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGCHLD) == 0);
    // And one that does not, stays.
    CHECK(raise(SIGUSR2) == 0 && Action(SIGUSR2, &standard, NULL) == 0);
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR2) == 1);
    CHECK(sigwaitinfo(&(sigset_t){{1UL << (SIGUSR2 - 1)}}, NULL) == SIGUSR2);
  }
  return Pass();
}
