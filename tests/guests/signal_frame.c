// What a handler finds in its frame is the program's: rip in its code, rsp on its stack, its mask; and what it changes
// there comes into force.
#include <ucontext.h>

#include "tests/guests/guest.h"

extern const char __executable_start[];
extern const char etext[];
extern const char behind_kill[];
static volatile sig_atomic_t count;
static volatile sig_atomic_t in_text;

static void Handler(int sig, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  (void)sig;
  (void)info;
  char here;
  const uintptr_t rip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
  const uintptr_t rsp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
  CHECK(rsp > (uintptr_t)&here && rsp - (uintptr_t)&here < 65536);
  CHECK(!sigismember(&uc->uc_sigmask, SIGUSR1) && sigismember(&uc->uc_sigmask, SIGUSR2));
  CHECK(uc->uc_mcontext.gregs[REG_CSGSFS] != 0 && uc->uc_mcontext.fpregs != NULL);
  sigaddset(&uc->uc_sigmask, SIGHUP);
  in_text = rip >= (uintptr_t)__executable_start && rip < (uintptr_t)etext;
  // Behind the `syscall` that sent the signal.
  if (in_text) CHECK(rip == (uintptr_t)behind_kill);
  ++count;
}

// Not inlined, for the label.
static __attribute__((noinline)) long KillMe(long pid, long signal) {
  long result = SYS_kill;
  __asm__ volatile("syscall\nbehind_kill:" : "+a"(result) : "D"(pid), "S"(signal) : "rcx", "r11", "memory");
  return result;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO};
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
  const pid_t self = getpid();
  for (int i = 0; i < 50; ++i) {
    long result;
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    CHECK(sigprocmask(SIG_UNBLOCK, &mask, NULL) == 0);
    result = KillMe(self, SIGUSR1);
    CHECK(result == 0 && count == i + 1 && in_text == 1);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGHUP) && sigismember(&mask, SIGUSR2));
  }
  return Pass();
}
