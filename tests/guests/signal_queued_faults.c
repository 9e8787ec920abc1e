// Faults that a process queues to itself with the kernel's codes, as crash reporters do to die of what has come: they
// are signals like any others.
#include "tests/guests/guest.h"

static volatile int count, code;

static void Handler(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  code = info->si_code;
  ++count;
}

static void Queue(int signal, int with) {
  siginfo_t info = {.si_signo = signal, .si_code = with};
  info.si_addr = (void*)64;
  CHECK(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, &info) == 0);
}

enum Wish { kDefault, kBlockedDefault, kIgnored, kHandled };

static int Run(int signal_number, int with, enum Wish wish) {
  const pid_t child = fork();
  if (child != 0) return ExitOf(child);
  const struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO};
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, signal_number);
  if (wish == kIgnored) CHECK(signal(signal_number, SIG_IGN) == SIG_DFL);
  if (wish == kHandled) CHECK(sigaction(signal_number, &action, NULL) == 0);
  if (wish == kBlockedDefault) CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  Queue(signal_number, with);
  if (wish == kDefault) _exit(7);
  if (wish == kHandled) {
    CHECK(count == 1 && code == with && sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    Queue(signal_number, with);
  }
  if (wish != kIgnored) {
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, signal_number));
    CHECK(count == (wish == kHandled ? 1 : 0) && sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
  }
  CHECK(wish != kHandled || (count == 2 && code == with));
  FAILS(open((char*)8, O_RDONLY), EFAULT);
  _exit(8);
}

int main(void) {
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
  const int codes[] = {1, 2, SI_KERNEL, SI_QUEUE};
  for (int i = 0; i < 6; ++i) {
    for (int k = 0; k < 4; ++k) {
      CHECK(Run(signals[i], codes[k], kDefault) == 128 + signals[i]);
      CHECK(Run(signals[i], codes[k], kBlockedDefault) == 128 + signals[i]);
      CHECK(Run(signals[i], codes[k], kIgnored) == 8);
      CHECK(Run(signals[i], codes[k], kHandled) == 8);
    }
  }
  return Pass();
}
