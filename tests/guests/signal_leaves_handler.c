// Ways out of a handler: to another context, by the thread's end, by exec, by fork.
#include <pthread.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

static ucontext_t main_context, handler_context;
static volatile int entered;
static volatile pid_t forked;

static void Swap(int signal) {
  (void)signal;
  ++entered;
  CHECK(swapcontext(&handler_context, &main_context) == 0);
}

static void ExitThread(int signal) {
  (void)signal;
  pthread_exit((void*)8);
}

static void Fork(int signal) {
  (void)signal;
  forked = fork();
}

static char** arguments;
static void Exec(int signal) {
  (void)signal;
  execl(arguments[0], arguments[0], "again", NULL);
  _exit(1);
}

static void* Pause(void* unused) {
  (void)unused;
  raise(SIGUSR2);
  return NULL;
}

int main(int argc, char** argv) {
  arguments = argv;
  if (argc > 1) {
    sigset_t mask;
    CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGTERM));
    return Pass();
  }
  struct sigaction action = {.sa_handler = Swap, .sa_flags = SA_NODEFER};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  for (int i = 0; i < 1000; ++i) {
    // Back here twice: by getcontext, and by the handler.
    volatile int before = entered;
    CHECK(getcontext(&main_context) == 0);
    if (entered == before) CHECK(raise(SIGUSR1) == 0);
    CHECK(entered == before + 1);
    // And into the handler again, out of it, behind the raise.
    getpid();
  }
  CHECK(entered == 1000);
  signal(SIGUSR2, ExitThread);
  for (int i = 0; i < 100; ++i) {
    pthread_t thread;
    void* result;
    CHECK(pthread_create(&thread, NULL, Pause, NULL) == 0 && pthread_join(thread, &result) == 0 && result == (void*)8);
  }
  signal(SIGUSR2, Fork);
  CHECK(raise(SIGUSR2) == 0);
  if (forked == 0) _exit(9);
  CHECK(ExitOf(forked) == 9);
  signal(SIGTERM, Exec);
  raise(SIGTERM);
  return 1;
}
