// Signals from another process while this one forks, vforks and makes threads: each window of a child's start is hit.
#include <pthread.h>

#include "tests/guests/guest.h"

static volatile sig_atomic_t count;
static void Handler(int sig) { count += sig == SIGUSR1; }

static void* Work(void* argument) {
  CheckInside();
  return argument;
}

int main(void) {
  struct sigaction action = {.sa_handler = Handler, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  const pid_t target = getpid();
  CHECK(setpgid(0, 0) == 0 || getpgrp() == getpid());
  const pid_t storm = fork();
  if (storm == 0) {
    CHECK(setpgid(0, 0) == 0);
    while (killpg(target, SIGUSR1) == 0) {
      if (getppid() != target) break;
    }
    _exit(0);
  }
  while (count == 0) CheckInside();
  for (int i = 0; i < 200; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      CheckInside();
      _exit(3);
    }
    CHECK(ExitOf(child) == 3);
    const pid_t other = vfork();
    if (other == 0) _exit(RawUid() == ExpectedUid() ? 5 : 6);
    CHECK(ExitOf(other) == 5);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, Work, NULL) == 0 && pthread_join(thread, NULL) == 0);
  }
  CHECK(kill(storm, SIGKILL) == 0 && ExitOf(storm) == 128 + SIGKILL);
  return Pass();
}
