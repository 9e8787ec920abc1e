// Children of clone3(2), also those whose handlers it clears, are inside.
#include <linux/sched.h>

#include "tests/guests/guest.h"

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ull
#endif

static void Handler(int sig) { (void)sig; }

static int Child(uint64_t flags, void (*expected)(int)) {
  int pidfd = -1;
  struct clone_args args = {.flags = flags | CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD};
  const pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
  if (child < 0 && errno == ENOSYS) return 0;  // as in containers
  if (child == 0) {
    struct sigaction action;
    CheckInside();
    CHECK(sigaction(SIGUSR1, NULL, &action) == 0);
    CHECK(action.sa_handler == expected);
    CHECK(sigaction(SIGUSR2, NULL, &action) == 0);
    CHECK(action.sa_handler == SIG_IGN);
    for (int i = 0; i < 10; ++i) CheckInside();
    _exit(11);
  }
  CHECK(pidfd >= 0 && close(pidfd) == 0);
  CHECK(ExitOf(child) == 11);
  return 1;
}

int main(void) {
  signal(SIGUSR1, Handler);
  signal(SIGUSR2, SIG_IGN);
  if (!Child(0, Handler)) puts("no clone3 here");
  Child(CLONE_CLEAR_SIGHAND, SIG_DFL);
  struct sigaction action;
  CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == Handler);
  return Pass();
}
