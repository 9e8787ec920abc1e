// A SIGSYS that comes between calls has nothing of the mask that an earlier call brought along; a fork child has none
// pending; and to ignore it forgets one that waits.
#include <poll.h>
#include <time.h>

#include "tests/guests/guest.h"

static volatile sig_atomic_t count;
static volatile int usr2_blocked;

static void Handler(int signal) {
  sigset_t now;
  (void)signal;
  CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
  usr2_blocked = sigismember(&now, SIGUSR2);
  ++count;
}

static int IsPending(int signal) {
  sigset_t set;
  CHECK(sigpending(&set) == 0);
  return sigismember(&set, signal);
}

int main(void) {
  const struct sigaction action = {.sa_handler = Handler};
  sigset_t usr2, none, one;
  sigemptyset(&none);
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  CHECK(sigprocmask(SIG_BLOCK, &usr2, NULL) == 0);
  const int signals[] = {SIGSYS, SIGSEGV, SIGBUS, SIGUSR1};
  for (int i = 0; i < 4; ++i) {
    const int signal_number = signals[i];
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal_number};
    const struct itimerspec soon = {.it_value = {0, 20000000}};
    const struct timespec now = {0, 0};
    CHECK(sigaction(signal_number, &action, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0);
    ppoll(NULL, 0, &now, &none);
    count = 0;
    while (count == 0) {
    }
    CHECK(usr2_blocked && timer_delete(timer) == 0);

    sigemptyset(&one);
    sigaddset(&one, signal_number);
    CHECK(sigprocmask(SIG_BLOCK, &one, NULL) == 0 && raise(signal_number) == 0 && IsPending(signal_number));
    const pid_t child = fork();
    if (child == 0) {
      CHECK(!IsPending(signal_number) && sigprocmask(SIG_UNBLOCK, &one, NULL) == 0 && count == 1);
      _exit(4);
    }
    CHECK(ExitOf(child) == 4 && IsPending(signal_number) && count == 1);
    CHECK(signal(signal_number, SIG_IGN) != SIG_ERR && !IsPending(signal_number));
    CHECK(sigaction(signal_number, &action, NULL) == 0 && sigprocmask(SIG_UNBLOCK, &one, NULL) == 0 && count == 1);
  }
  return Pass();
}
