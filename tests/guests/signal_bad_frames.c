// A handler without a restorer cannot be entered: SIGSEGV instead. And both places of a frame that tell the mask agree,
// also about SIGSYS. ABI: x64_setup_rt_frame() and setup_sigcontext(), arch/x86/kernel/signal_64.c.
#include <signal.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

struct Action {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)(void);
  uint64_t mask;
};

static void Never(int signal) {
  (void)signal;
  _exit(9);
}

static void WithoutRestorer(int signal) {
  const struct Action action = {Never, 0, NULL, 0};
  CHECK(syscall(SYS_rt_sigaction, signal, &action, NULL, 8) == 0);
}

static void OnFault(int signal, siginfo_t* info, void* context) {
  (void)context;
  _exit(signal == SIGSEGV && info->si_code == SI_KERNEL ? 7 : 8);
}

static volatile int masks_agree;
static void OnSignal(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  const ucontext_t* const ucontext = context;
  uint64_t mask = 0;
  memcpy(&mask, &ucontext->uc_sigmask, sizeof(mask));
  masks_agree = (uint64_t)ucontext->uc_mcontext.gregs[REG_OLDMASK] == mask && (mask >> (SIGSYS - 1) & 1) == 1;
}

static void Take(int signal, void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action = {0};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  CHECK(sigaction(signal, &action, NULL) == 0);
}

int main(void) {
  pid_t child = fork();
  if (child == 0) {
    WithoutRestorer(SIGUSR1);
    raise(SIGUSR1);
    _exit(1);
  }
  CHECK(ExitOf(child) == 128 + SIGSEGV);

  child = fork();
  if (child == 0) {
    WithoutRestorer(SIGUSR1);
    Take(SIGSEGV, OnFault);
    raise(SIGUSR1);
    _exit(1);
  }
  CHECK(ExitOf(child) == 7);

  child = fork();
  if (child == 0) {
    WithoutRestorer(SIGSEGV);
    __asm__ volatile("movl $1, 8");
    _exit(1);
  }
  CHECK(ExitOf(child) == 128 + SIGSEGV);

  Take(SIGUSR2, OnSignal);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGSYS);
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  CHECK(raise(SIGUSR2) == 0 && masks_agree);
  return Pass();
}
