// SIGCHLD: a handler that reaps, waitid, SA_NOCLDWAIT, stop and continue as a shell sees them.
#include "tests/guests/guest.h"

static volatile sig_atomic_t reaped;

static void Reap(int sig, siginfo_t* info, void* context) {
  const int saved = errno;
  (void)context;
  CHECK(sig == SIGCHLD && info->si_pid > 0);
  while (waitpid(-1, NULL, WNOHANG) > 0) ++reaped;
  errno = saved;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = Reap, .sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP};
  sigset_t blocked;
  sigset_t old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  CHECK(sigaction(SIGCHLD, &action, NULL) == 0 && sigprocmask(SIG_BLOCK, &blocked, &old) == 0);
  for (int i = 0; i < 50; ++i) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(0);
  }
  while (reaped < 50) sigsuspend(&old);
  FAILS(waitpid(-1, NULL, 0), ECHILD);
  signal(SIGCHLD, SIG_DFL);
  CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);

  // Its end must not come before its continuation has been seen.
  int seen[2];
  CHECK(pipe(seen) == 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    raise(SIGSTOP);
    CheckInside();
    _exit(read(seen[0], &byte, 1) == 1 ? 21 : 1);
  }
  int status = 0;
  CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  CHECK(kill(child, SIGCONT) == 0);
  CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
  CHECK(write(seen[1], "", 1) == 1);
  siginfo_t info;
  CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
  CHECK(info.si_code == CLD_EXITED && info.si_status == 21 && info.si_pid == child);
  CHECK(ExitOf(child) == 21);

  signal(SIGCHLD, SIG_IGN);
  const pid_t ignored = fork();
  if (ignored == 0) _exit(0);
  FAILS(waitpid(ignored, NULL, 0), ECHILD);
  return Pass();
}
