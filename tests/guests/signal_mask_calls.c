// sigprocmask saves and restores, sigfillset too; sigpending, sigsuspend, sigtimedwait and sigqueue go with it.
#include <time.h>

#include "tests/guests/guest.h"

static volatile sig_atomic_t count;
static volatile int value;
static void Handler(int sig, siginfo_t* info, void* context) {
  (void)context;
  count += sig == SIGUSR1;
  value = info->si_code == SI_QUEUE ? info->si_value.sival_int : -1;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO};
  sigset_t all;
  sigset_t old;
  sigset_t set;
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  for (int i = 0; i < 50; ++i) {
    count = 0;
    sigfillset(&all);
    CHECK(sigprocmask(SIG_SETMASK, &all, &old) == 0);
    CHECK(!sigismember(&old, SIGUSR1));
    struct stat status;
    CheckInside();
    CHECK(stat("/", &status) == 0);
    raise(SIGUSR1);
    CHECK(count == 0 && sigpending(&set) == 0 && sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2));
    CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
    CHECK(sigismember(&set, SIGUSR1) && sigismember(&set, SIGTERM) && !sigismember(&set, SIGKILL));
    CHECK(sigismember(&set, SIGSYS) && sigismember(&set, SIGSEGV));
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0 && count == 1 && value == -1);
    // sigsuspend lets it in, and puts the mask back.
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    const union sigval sent = {.sival_int = 1000 + i};
    CHECK(sigqueue(getpid(), SIGUSR1, sent) == 0 && count == 1);
    FAILS(sigsuspend(&old), EINTR);
    CHECK(count == 2 && value == 1000 + i);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGUSR1));
    // sigtimedwait takes it without the handler.
    siginfo_t info;
    const struct timespec soon = {10, 0};
    CHECK(sigqueue(getpid(), SIGUSR1, sent) == 0);
    CHECK(sigtimedwait(&set, &info, &soon) == SIGUSR1 && info.si_value.sival_int == 1000 + i && count == 2);
    const struct timespec now = {0, 0};
    FAILS(sigtimedwait(&set, &info, &now), EAGAIN);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
  }
  FAILS(sigprocmask(77, &all, NULL), EINVAL);
  FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 4), EINVAL);
  FAILS(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
  action.sa_handler = SIG_IGN;
  FAILS(syscall(SYS_rt_sigaction, SIGKILL, &action, NULL, 8), EINVAL);
  FAILS(syscall(SYS_rt_sigaction, 65, &action, NULL, 8), EINVAL);
  return Pass();
}
