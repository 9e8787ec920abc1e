// What all guests share: checks that end the guest with a reason, and the pass line at its end.
//
// A guest is started by its absolute path (argv[0]), in a fresh directory that it may write to, with
//   GUEST_UID  the uid that it must see: 0 under fakeroot, so a process that has escaped its session sees another one
// It ends with "pass" and exit code 0, or with Unsupported() on a machine that natively lacks what it is about.
#ifndef GUISE_TESTS_GUESTS_GUEST_H_
#define GUISE_TESTS_GUESTS_GUEST_H_

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                                            \
  do {                                                                                                              \
    if (!(condition)) {                                                                                             \
      fprintf(stderr, "%s:%d: not true: %s (errno %d, pid %d)\n", __FILE__, __LINE__, #condition, errno, getpid()); \
      _exit(1);                                                                                                     \
    }                                                                                                               \
  } while (0)

// For a call that must fail: FAILS(open("x", 0), ENOENT).
#define FAILS(call, error)                                                                                          \
  do {                                                                                                              \
    errno = 0;                                                                                                      \
    const long fails_result = (long)(call);                                                                         \
    const int fails_errno = errno;                                                                                  \
    if (fails_result != -1 || fails_errno != (error)) {                                                             \
      fprintf(stderr, "%s:%d: %s gave %ld, errno %d instead of %s (%d)\n", __FILE__, __LINE__, #call, fails_result, \
              fails_errno, #error, error);                                                                          \
      _exit(1);                                                                                                     \
    }                                                                                                               \
  } while (0)

static inline uid_t ExpectedUid(void) {
  const char* uid = getenv("GUEST_UID");
  CHECK(uid != NULL);
  return (uid_t)strtoul(uid, NULL, 10);
}

// By the raw number, so that no libc answers from memory.
static inline uid_t RawUid(void) { return (uid_t)syscall(SYS_getuid); }

// This process is inside the session: it sees the session's uid.
static inline void CheckInside(void) { CHECK(RawUid() == ExpectedUid()); }

// Exit code of a child, 128 + n for one that a signal ended.
static inline int ExitOf(pid_t child) {
  int status = 0;
  pid_t got;
  CHECK(child > 0);
  do got = waitpid(child, &status, __WALL);
  while (got < 0 && errno == EINTR);
  CHECK(got == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Whether int $0x80 is a call, if only one that fails. Kernels without it, and those that a hypervisor enters and
// leaves user mode for (PVM), let it fault.
static inline int HasInt80(void) {
  const pid_t child = fork();
  if (child == 0) {
    long result = 20;
    __asm__ volatile("int $0x80" : "+a"(result)::"memory", "r8", "r9", "r10", "r11");
    _exit(0);
  }
  return ExitOf(child) == 0;
}

static inline int Pass(void) {
  puts("pass");
  return fflush(stdout) == 0 ? 0 : 1;
}

// What main() returns where the machine, not Guise, lacks what the guest is about: the test then holds the guest's
// native run to saying the same.
static inline int Unsupported(const char* what) {
  printf("unsupported: %s\n", what);
  return fflush(stdout) == 0 ? 77 : 1;
}

#endif  // GUISE_TESTS_GUESTS_GUEST_H_
