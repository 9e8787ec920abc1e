// POSIX timers: who sent the signal (si_timerid, si_value, si_overrun), to the process and to one thread.
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

#include "tests/guests/guest.h"

#ifndef sigev_notify_thread_id  // glibc has no name for it
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile sig_atomic_t count;
static volatile int timer_id, value, overrun, thread;

static void Handler(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  CHECK(info->si_code == SI_TIMER);
  timer_id = info->si_timerid;
  overrun = info->si_overrun;
  value = info->si_value.sival_int;
  thread = (int)syscall(SYS_gettid);
  ++count;
}

static int Start(int notify, pid_t tid, int word) {
  int id = -1;
  struct sigevent event = {.sigev_notify = notify, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = word};
  event.sigev_notify_thread_id = tid;
  CHECK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) == 0);
  const struct itimerspec once = {{0, 0}, {0, 1000000}};
  CHECK(syscall(SYS_timer_settime, id, 0, &once, NULL) == 0);
  return id;
}

static void* Wait(void* unused) {
  (void)unused;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  const pid_t self = (pid_t)syscall(SYS_gettid);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  count = 0;
  const int id = Start(SIGEV_THREAD_ID, self, 9);
  while (count == 0) sched_yield();
  CHECK(timer_id == id && value == 9 && thread == self);
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGRTMIN + 1, &action, NULL) == 0);
  const int id = Start(SIGEV_SIGNAL, 0, 77);
  while (count == 0) sched_yield();
  CHECK(timer_id == id && value == 77 && overrun >= 0);
  // Blocked meanwhile: one signal, and how often it could not be sent again.
  sigset_t set;
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  const struct itimerspec often = {{0, 100000}, {0, 100000}};
  CHECK(syscall(SYS_timer_settime, id, 0, &often, NULL) == 0);
  const struct timespec moment = {0, 20000000};
  CHECK(nanosleep(&moment, NULL) == 0);
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1);
  CHECK(info.si_code == SI_TIMER && info.si_timerid == id && info.si_overrun > 20 && info.si_value.sival_int == 77);
  CHECK(syscall(SYS_timer_getoverrun, id) == info.si_overrun && syscall(SYS_timer_delete, id) == 0);
  pthread_t other;
  CHECK(pthread_create(&other, NULL, Wait, NULL) == 0 && pthread_join(other, NULL) == 0);
  return Pass();
}
