// A parent that has restricted itself (landlock(7)) since it made a child may not trace it: PTRACE_TRACEME fails. One
// that did so before may, and a child's own restrictions are no matter.
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "tests/guests/guest.h"

enum { kCreateRuleset = 444, kRestrictSelf = 446 };
enum Restricted { kNobody = 0, kBefore = 1, kParent = 2, kChild = 4, kExec = 8 };

static int Restrict(void) {
  const uint64_t handled = 1;
  const int ruleset = (int)syscall(kCreateRuleset, &handled, sizeof(handled), 0);
  if (ruleset < 0) return 0;
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  // Those that fail make no domain.
  FAILS(syscall(kRestrictSelf, ruleset, ~0), EINVAL);
  FAILS(syscall(kRestrictSelf, 0, 0), EBADFD);
  CHECK(syscall(kRestrictSelf, ruleset, 0) == 0);
  return close(ruleset) == 0;
}

// Ends with 0, or with what asking failed with.
static int Ask(void) {
  if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) return errno;
  CHECK(raise(SIGSTOP) == 0);
  return 0;
}

static void Child(enum Restricted restricted, int may) {
  char byte;
  CHECK(read(may, &byte, 1) == 1);
  if (restricted & kChild) CHECK(Restrict());
  // A domain without a rule for any file lets this program run itself no more.
  if (restricted & kExec) execl("/proc/self/exe", "guest", "ask", NULL);
  _exit(Ask());
}

static void Case(enum Restricted restricted) {
  int pipes[2];
  if (restricted & kBefore) CHECK(Restrict());
  CHECK(pipe(pipes) == 0);
  const pid_t child = fork();
  if (child == 0) Child(restricted, pipes[0]);
  if (restricted & kParent) CHECK(Restrict());
  CHECK(write(pipes[1], "x", 1) == 1);
  int status;
  CHECK(waitpid(child, &status, WUNTRACED) == child);
  if (restricted & kParent) {
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EPERM);
    return;
  }
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  // It is a tracee.
  errno = 0;
  ptrace(PTRACE_PEEKUSER, child, 0, 0);
  CHECK(errno == 0);
  CHECK(kill(child, SIGKILL) == 0);
  CHECK(ExitOf(child) == 128 + SIGKILL);
}

int main(int argc, char** argv) {
  (void)argv;
  if (argc > 1) return Ask();
  const uint64_t handled = 1;
  if (syscall(kCreateRuleset, &handled, sizeof(handled), 0) < 0) return Unsupported("Landlock");
  for (int restricted = kNobody; restricted < 2 * kExec; ++restricted) {
    if ((restricted & kExec) && (restricted & (kBefore | kChild))) continue;
    const pid_t one = fork();
    if (one == 0) {
      Case((enum Restricted)restricted);
      _exit(0);
    }
    if (ExitOf(one) != 0) {
      fprintf(stderr, "case %d\n", restricted);
      return 1;
    }
  }
  return Pass();
}
