// A timer's signal ends read, waitpid, nanosleep, pause and futex with EINTR when its handler has no SA_RESTART.
#include <linux/futex.h>
#include <sys/time.h>
#include <time.h>

#include "tests/guests/guest.h"

static volatile sig_atomic_t count;
static void Handler(int sig) { count += sig == SIGALRM; }

// Fires again and again, so that a signal that comes before the call sleeps is followed by one that does not.
static void Alarm(int on) {
  const struct itimerval every = {{0, on ? 5000 : 0}, {0, on ? 5000 : 0}};
  CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

int main(void) {
  int fds[2];
  char byte;
  int word = 0;
  struct sigaction action = {.sa_handler = Handler};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0 && pipe(fds) == 0);
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  for (int i = 0; i < 20; ++i) {
    const struct timespec hour = {3600, 0};
    struct timespec left = {0, 0};
    Alarm(1);
    FAILS(read(fds[0], &byte, 1), EINTR);
    FAILS(waitpid(child, NULL, 0), EINTR);
    FAILS(syscall(SYS_nanosleep, &hour, &left), EINTR);
    CHECK(left.tv_sec >= 3590);
    FAILS(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &hour, &left), EINTR);
    FAILS(syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
    FAILS(pause(), EINTR);
    Alarm(0);
  }
  CHECK(count >= 120);
  CHECK(kill(child, SIGKILL) == 0 && ExitOf(child) == 128 + SIGKILL);
  return Pass();
}
