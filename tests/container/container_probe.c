// What the container refuses, and how: run natively in it, it tells that the profile is the one that is meant.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "tests/guests/guest.h"

int main(int argc, char** argv) {
  const int tracing = argc == 1 || strcmp(argv[1], "no-tracing") != 0;
  CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
  FAILS(syscall(425 /* io_uring_setup */, 4, NULL), EPERM);
  FAILS(syscall(SYS_clone3, NULL, 0), ENOSYS);
  FAILS(syscall(462 /* mseal */, 0, 0, 0), ENOSYS);
  FAILS(syscall(SYS_unshare, CLONE_NEWUSER), EPERM);
  FAILS(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM);
  FAILS(syscall(438 /* pidfd_getfd */, -1, 0, 0), EPERM);
  FAILS(syscall(SYS_mount, "a", "b", "c", 0, NULL), EPERM);
  FAILS(syscall(SYS_userfaultfd, 0), EPERM);
  FAILS(syscall(SYS_personality, 0x0040000 /* ADDR_NO_RANDOMIZE */), EPERM);
  CHECK(syscall(SYS_personality, 0xffffffff) >= 0);
  FAILS(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 1), tracing ? EINVAL : EPERM);
  FAILS(syscall(SYS_ptrace, PTRACE_CONT, getpid(), 0, 0), tracing ? ESRCH : EPERM);
  const pid_t child = fork();
  if (child == 0) _exit(3);
  CHECK(ExitOf(child) == 3);
  return Pass();
}
