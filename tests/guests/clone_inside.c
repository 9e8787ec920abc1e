// Children of clone(2) on a stack of their own, with and without shared memory, are inside.
#include <sched.h>

#include "tests/guests/guest.h"

static volatile uid_t seen;

static int Child(void* argument) {
  seen = RawUid();
  return (int)(intptr_t)argument;
}

int main(void) {
  static char stack[64 << 10] __attribute__((aligned(16)));
  static const int kFlags[] = {SIGCHLD,
                               SIGCHLD | CLONE_VM,
                               SIGCHLD | CLONE_VM | CLONE_VFORK,
                               SIGCHLD | CLONE_VFORK,
                               SIGCHLD | CLONE_FILES | CLONE_FS,
                               0};
  for (unsigned i = 0; i < sizeof(kFlags) / sizeof(kFlags[0]); ++i) {
    seen = (uid_t)-1;
    const pid_t child = clone(Child, stack + sizeof(stack), kFlags[i], (void*)(intptr_t)(20 + i));
    CHECK(ExitOf(child) == 20 + (int)i);
    if (kFlags[i] & CLONE_VM) CHECK(seen == ExpectedUid());
    CheckInside();
  }
  // What the child of a plain clone saw is told by its exit code.
  const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(RawUid() == ExpectedUid() ? 30 : 31);
  CHECK(ExitOf(child) == 30);
  return Pass();
}
