// Strict mode: read, write, exit and sigreturn; all else is SIGKILL.
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/guests/guest.h"

static int Run(int call) {
  const pid_t child = fork();
  if (child != 0) return ExitOf(child);
  CHECK(call == 0 ? syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0
                  : prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
  char byte;
  if (write(1, "", 0) != 0 || read(0, &byte, 0) != 0) syscall(SYS_exit, 1);
  if (call == 2) getppid();
  syscall(SYS_exit, 7);
  return 0;
}

int main(void) {
  CHECK(open("/dev/null", O_RDONLY) >= 0 && dup2(3, 0) == 0);
  CHECK(Run(0) == 7 && Run(1) == 7 && Run(2) == 128 + SIGKILL);
  return Pass();
}
