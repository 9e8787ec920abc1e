// Signals find their thread: raise, pthread_kill, masks of one's own, sigwait, a process's signal to whoever takes it.
#include <pthread.h>

#include "tests/guests/guest.h"

static __thread volatile sig_atomic_t mine;
static volatile int total;

static void Handler(int sig) {
  mine += sig == SIGUSR1;
  __sync_fetch_and_add(&total, 1);
}

static void* Raise(void* argument) {
  for (int i = 0; i < 200; ++i) {
    CHECK(raise(SIGUSR1) == 0 && mine == i + 1);
    CheckInside();
  }
  return argument;
}

static void* Wait(void* argument) {
  sigset_t set;
  int sig = 0;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  CHECK(sigwait(&set, &sig) == 0 && sig == SIGUSR2);
  return argument;
}

int main(void) {
  pthread_t threads[8];
  sigset_t set;
  struct sigaction action = {.sa_handler = Handler, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  for (int i = 0; i < 8; ++i) CHECK(pthread_create(&threads[i], NULL, Raise, NULL) == 0);
  for (int i = 0; i < 8; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(total == 1600 && mine == 0);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  CHECK(pthread_create(&threads[0], NULL, Wait, NULL) == 0);
  CHECK(kill(getpid(), SIGUSR2) == 0 && pthread_join(threads[0], NULL) == 0);
  CHECK(pthread_create(&threads[0], NULL, Wait, NULL) == 0);
  CHECK(pthread_kill(threads[0], SIGUSR2) == 0 && pthread_join(threads[0], NULL) == 0);
  return Pass();
}
