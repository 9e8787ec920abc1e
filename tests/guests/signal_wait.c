// sigtimedwait, signalfd and sigqueue tell exactly who sent what.
#include <sys/signalfd.h>

#include "tests/guests/guest.h"

int main(void) {
  sigset_t set;
  siginfo_t info;
  struct signalfd_siginfo read_info;
  const struct timespec none = {0, 0};
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 1);
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  FAILS(sigtimedwait(&set, &info, &none), EAGAIN);
  CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 42}) == 0);
  CHECK(sigtimedwait(&set, &info, &none) == SIGRTMIN + 1 && info.si_code == SI_QUEUE && info.si_value.sival_int == 42);
  CHECK(info.si_pid == getpid() && info.si_uid == ExpectedUid());
  CHECK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1) == 0);
  // glibc's sigwaitinfo turns SI_TKILL into SI_USER.
  CHECK(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8) == SIGUSR1 && info.si_code == SI_TKILL);
  CHECK(info.si_pid == getpid());
  const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  FAILS(read(fd, &read_info, sizeof(read_info)), EAGAIN);
  CHECK(kill(getpid(), SIGUSR1) == 0 && read(fd, &read_info, sizeof(read_info)) == sizeof(read_info));
  CHECK(read_info.ssi_signo == SIGUSR1 && read_info.ssi_code == SI_USER && read_info.ssi_pid == (uint32_t)getpid());
  return Pass();
}
