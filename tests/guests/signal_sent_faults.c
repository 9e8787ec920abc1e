// SIGSEGV, SIGBUS, SIGILL and SIGFPE that somebody sends are signals like any other: they wait while blocked, interrupt
// calls, restart them, are ignored, taken by sigwait, and kill.
#include "tests/guests/guest.h"

static volatile sig_atomic_t count;
static volatile int sender;
static int pipe_fds[2];

static void Handler(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  CHECK(info->si_code == SI_USER);
  sender = info->si_pid;
  ++count;
}

// Sends to the parent once that one sleeps in a call, then has it come back.
static pid_t SendWhenAsleep(int signal, int then_write) {
  const pid_t child = fork();
  if (child != 0) return child;
  char path[64];
  char line[512];
  snprintf(path, sizeof(path), "/proc/%d/stat", getppid());
  for (int round = 0; round < 1 + then_write; ++round) {
    for (int calm = 0; calm < 3;) {
      const int fd = open(path, O_RDONLY);
      const ssize_t size = read(fd, line, sizeof(line) - 1);
      CHECK(size > 0);
      line[size] = 0;
      close(fd);
      calm = strrchr(line, ')')[2] == 'S' ? calm + 1 : 0;
      usleep(1000);
    }
    if (round == 0) {
      CHECK(kill(getppid(), signal) == 0);
    } else {
      CHECK(write(pipe_fds[1], "x", 1) == 1);
    }
  }
  _exit(0);
}

int main(void) {
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  char byte;
  CHECK(pipe(pipe_fds) == 0);
  for (int i = 0; i < 4; ++i) {
    const int signal_number = signals[i];
    pid_t child = fork();
    if (child == 0) {
      kill(getpid(), signal_number);
      _exit(1);
    }
    CHECK(ExitOf(child) == 128 + signal_number);
    struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(signal_number, &action, NULL) == 0);
    count = 0;
    CHECK(kill(getpid(), signal_number) == 0 && count == 1 && sender == getpid());
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && kill(getpid(), signal_number) == 0 && count == 1);
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, signal_number));
    siginfo_t info;
    CHECK(sigwaitinfo(&set, &info) == signal_number && info.si_pid == getpid());
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, signal_number));
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 && count == 1);

    child = SendWhenAsleep(signal_number, 0);
    FAILS(read(pipe_fds[0], &byte, 1), EINTR);
    CHECK(count == 2 && sender == child && ExitOf(child) == 0);
    action.sa_flags |= SA_RESTART;
    CHECK(sigaction(signal_number, &action, NULL) == 0);
    child = SendWhenAsleep(signal_number, 1);
    CHECK(read(pipe_fds[0], &byte, 1) == 1);
    CHECK(count == 3 && ExitOf(child) == 0);
    CHECK(signal(signal_number, SIG_IGN) != SIG_ERR);
    child = SendWhenAsleep(signal_number, 1);
    CHECK(read(pipe_fds[0], &byte, 1) == 1);
    CHECK(count == 3 && ExitOf(child) == 0);
    CHECK(signal(signal_number, SIG_DFL) != SIG_ERR);
  }
  return Pass();
}
