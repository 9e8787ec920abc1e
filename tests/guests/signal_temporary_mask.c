// A mask that a call brings along holds for that call alone: a later call's interruption has nothing of it.
#include <poll.h>
#include <sys/time.h>

#include "tests/guests/guest.h"

static volatile int usr2_blocked, count;

static void Handler(int signal) {
  sigset_t now;
  (void)signal;
  CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
  usr2_blocked = sigismember(&now, SIGUSR2);
  ++count;
}

static void SendToSelf(int signal) { CHECK(syscall(SYS_tgkill, getpid(), getpid(), signal) == 0); }

int main(void) {
  const struct sigaction action = {.sa_handler = Handler};
  const int signals[] = {SIGUSR1, SIGSYS, SIGSEGV};
  const struct timespec now = {0, 0};
  sigset_t usr2, none;
  int fds[2];
  char byte;
  sigemptyset(&none);
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  CHECK(sigprocmask(SIG_BLOCK, &usr2, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0 && pipe(fds) == 0);
  for (int s = 0; s < 3; ++s) CHECK(sigaction(signals[s], &action, NULL) == 0);
  // Sites that are passed often are made differently from those that are passed once.
  for (int i = 0; i < 300; ++i) {
    CHECK(write(fds[1], "x", 1) == 1 && read(fds[0], &byte, 1) == 1);
    SendToSelf(0);
  }
  for (int i = 0; i < 20; ++i) {
    for (int s = 0; s < 3; ++s) {
      const int before = count;
      CHECK(ppoll(NULL, 0, &now, &none) == 0);
      SendToSelf(signals[s]);
      CHECK(count == before + 1 && usr2_blocked);
      // And where it holds.
      sigset_t one;
      sigemptyset(&one);
      sigaddset(&one, signals[s]);
      CHECK(sigprocmask(SIG_BLOCK, &one, NULL) == 0);
      SendToSelf(signals[s]);
      FAILS(ppoll(NULL, 0, NULL, &none), EINTR);
      CHECK(count == before + 2 && !usr2_blocked);
      CHECK(sigprocmask(SIG_UNBLOCK, &one, NULL) == 0);
    }
    const struct itimerval often = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    ppoll(NULL, 0, &now, &none);
    FAILS(read(fds[0], &byte, 1), EINTR);
    CHECK(usr2_blocked);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
  }
  return Pass();
}
