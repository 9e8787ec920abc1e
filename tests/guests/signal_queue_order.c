// What waits comes in order: standard signals once, real-time signals as often as sent, lower numbers first, each with
// its own siginfo; a signal of the process goes to a thread that takes it.
#include <pthread.h>
#include <sys/syscall.h>

#include "tests/guests/guest.h"

static volatile int order[64], words[64], codes[64];
static volatile sig_atomic_t count;
static volatile pid_t thread;

static void Handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  order[count] = signal;
  words[count] = info->si_value.sival_int;
  codes[count] = info->si_code;
  thread = (pid_t)syscall(SYS_gettid);
  ++count;
}

static void* Take(void* set) {
  CHECK(pthread_sigmask(SIG_UNBLOCK, set, NULL) == 0);
  while (count == 0) sched_yield();
  return (void*)(long)syscall(SYS_gettid);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO};
  sigfillset(&action.sa_mask);
  sigset_t set;
  sigemptyset(&set);
  const int all[] = {SIGUSR1, SIGUSR2, SIGRTMIN + 2, SIGRTMIN + 3};
  for (int i = 0; i < 4; ++i) {
    CHECK(sigaction(all[i], &action, NULL) == 0);
    sigaddset(&set, all[i]);
  }
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  for (int i = 0; i < 3; ++i) {
    const union sigval word = {.sival_int = i};
    CHECK(sigqueue(getpid(), SIGRTMIN + 3, word) == 0 && sigqueue(getpid(), SIGUSR1, word) == 0);
    CHECK(sigqueue(getpid(), SIGRTMIN + 2, word) == 0);
  }
  siginfo_t made = {.si_signo = SIGRTMIN + 3, .si_code = -42};
  made.si_value.sival_int = 99;
  CHECK(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGRTMIN + 3, &made) == 0);
  made.si_code = SI_USER;
  FAILS(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &made), EPERM);
  CHECK(count == 0 && sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
  // Handlers stack up: the one that was set up last runs first. Which of a thread's own and the process's signals comes
  // first is the kernel's, too.
  CHECK(count == 8);
  int seen[3] = {0, 0, 0};
  for (int i = 0; i < 8; ++i) {
    const int kind = order[i] == SIGUSR1 ? 0 : order[i] == SIGRTMIN + 2 ? 1 : 2;
    if (codes[i] == -42) {
      CHECK(words[i] == 99);
    } else {
      CHECK(codes[i] == SI_QUEUE && words[i] == seen[kind]);
      ++seen[kind];
    }
  }
  CHECK(seen[0] == 1 && seen[1] == 3 && seen[2] == 3);

  count = 0;
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && kill(getpid(), SIGUSR2) == 0);
  pthread_t other;
  void* result;
  CHECK(pthread_create(&other, NULL, Take, &set) == 0 && pthread_join(other, &result) == 0);
  CHECK(count == 1 && order[0] == SIGUSR2 && thread == (pid_t)(long)result);
  return Pass();
}
