// Queued real-time signals are neither lost nor doubled while their receiver forks, vforks, makes threads and execs
// nothing: as many arrive as were sent.
#include <pthread.h>
#include <sys/syscall.h>

#include "tests/guests/guest.h"

static volatile sig_atomic_t arrived;
static void Count(int signal) {
  (void)signal;
  ++arrived;
}
static void* Nothing(void* unused) { return unused; }

int main(void) {
  struct sigaction action = {.sa_handler = Count, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGRTMIN + 4, &action, NULL) == 0);
  const pid_t receiver = getpid();
  const pid_t sender = fork();
  if (sender == 0) {
    for (int i = 0; i < 3000; ++i) {
      const union sigval word = {.sival_int = i};
      // To the thread, so that none goes to a thread that ends.
      siginfo_t info = {.si_signo = SIGRTMIN + 4, .si_code = SI_QUEUE};
      info.si_value = word;
      while (syscall(SYS_rt_tgsigqueueinfo, receiver, receiver, SIGRTMIN + 4, &info) != 0) {
        CHECK(errno == EAGAIN);
        sched_yield();
      }
    }
    _exit(0);
  }
  int status;
  for (int i = 0; waitpid(sender, &status, WNOHANG) == 0; ++i) {
    const pid_t child = i % 3 == 0 ? fork() : vfork();
    if (child == 0) _exit(0);
    CHECK(ExitOf(child) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, Nothing, NULL) == 0 && pthread_join(thread, NULL) == 0);
  }
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(arrived == 3000);
  return Pass();
}
