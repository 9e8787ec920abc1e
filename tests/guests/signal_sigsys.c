// SIGSYS is the program's, too: sent, blocked, pending, waited for, ignored, fatal.
#include <poll.h>
#include <sys/signalfd.h>

#include "tests/guests/guest.h"

static volatile sig_atomic_t count;
static volatile int code, value, pid;

static void Handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  CHECK(signal == SIGSYS);
  code = info->si_code;
  pid = info->si_pid;
  value = info->si_value.sival_int;
  ++count;
}

static void Mask(int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGSYS);
  CHECK(sigprocmask(how, &set, NULL) == 0);
}

static int Pending(void) {
  sigset_t set;
  CHECK(sigpending(&set) == 0);
  return sigismember(&set, SIGSYS);
}

int main(void) {
  pid_t child = fork();
  if (child == 0) {
    raise(SIGSYS);
    _exit(1);
  }
  CHECK(ExitOf(child) == 128 + SIGSYS);
  // Blocked, then opened: the default action.
  child = fork();
  if (child == 0) {
    Mask(SIG_BLOCK);
    CHECK(raise(SIGSYS) == 0 && Pending());
    Mask(SIG_UNBLOCK);
    _exit(1);
  }
  CHECK(ExitOf(child) == 128 + SIGSYS);
  CHECK(signal(SIGSYS, SIG_IGN) == SIG_DFL);
  CHECK(raise(SIGSYS) == 0);
  Mask(SIG_BLOCK);
  CHECK(raise(SIGSYS) == 0 && Pending());  // it might be handled by the time it is opened
  Mask(SIG_UNBLOCK);
  CHECK(!Pending());

  struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGSYS, &action, NULL) == 0);
  CHECK(raise(SIGSYS) == 0 && count == 1 && code == SI_TKILL);
  const union sigval word = {.sival_int = 77};
  CHECK(sigqueue(getpid(), SIGSYS, word) == 0 && count == 2 && code == SI_QUEUE && value == 77 && pid == getpid());
  Mask(SIG_BLOCK);
  CHECK(kill(getpid(), SIGSYS) == 0 && count == 2 && Pending());
  Mask(SIG_UNBLOCK);
  CHECK(count == 3 && code == SI_USER && !Pending());
  // Of several the first is pending.
  Mask(SIG_BLOCK);
  CHECK(sigqueue(getpid(), SIGSYS, word) == 0 && kill(getpid(), SIGSYS) == 0);
  Mask(SIG_UNBLOCK);
  CHECK(count == 4 && code == SI_QUEUE && value == 77 && !Pending());
  --count;

  // A mask for the time of a call.
  Mask(SIG_BLOCK);
  CHECK(raise(SIGSYS) == 0 && count == 3);
  sigset_t none;
  sigemptyset(&none);
  FAILS(sigsuspend(&none), EINTR);
  CHECK(count == 4 && !Pending());
  CHECK(raise(SIGSYS) == 0);
  FAILS(ppoll(NULL, 0, NULL, &none), EINTR);
  CHECK(count == 5 && !Pending());

  // Taken by waiting.
  sigset_t sys;
  siginfo_t info;
  sigemptyset(&sys);
  sigaddset(&sys, SIGSYS);
  CHECK(sigqueue(getpid(), SIGSYS, word) == 0);
  CHECK(sigwaitinfo(&sys, &info) == SIGSYS && info.si_code == SI_QUEUE && info.si_value.sival_int == 77 && !Pending());
  const int fd = signalfd(-1, &sys, SFD_NONBLOCK);
  struct signalfd_siginfo read_info;
  CHECK(raise(SIGSYS) == 0);
  struct pollfd watched = {.fd = fd, .events = POLLIN};
  CHECK(poll(&watched, 1, 0) == 1);
  CHECK(read(fd, &read_info, sizeof(read_info)) == sizeof(read_info) && read_info.ssi_signo == SIGSYS);
  FAILS(read(fd, &read_info, sizeof(read_info)), EAGAIN);
  CHECK(!Pending());
  return Pass();
}
