// A child has the identity that its parent had at the fork, whatever the parent does next, and whether or not the child
// has made a call before that.
#include <signal.h>
#include <unistd.h>

#include "tests/guests/guest.h"

// More than the session has room for processes.
enum { kRounds = 50, kLines = 300, kKilled = 8000, kOther = 9 };

// The uid that a child sees which was forked as `uid`, while its parent goes on as `next`; 0 is root in both.
static uid_t ChildSees(uid_t uid, uid_t next, int execs, char** argv) {
  int told[2];
  CHECK(pipe(told) == 0);
  CHECK(seteuid(uid) == 0);
  const pid_t child = fork();
  if (child == 0) {
    CHECK(dup2(told[1], 1) == 1);
    if (execs) execl(argv[0], argv[0], "tell", NULL);
    const uid_t seen = geteuid();
    CHECK(write(1, &seen, sizeof(seen)) == sizeof(seen));
    _exit(0);
  }
  CHECK(seteuid(0) == 0 && seteuid(next) == 0 && seteuid(0) == 0);
  uid_t seen;
  CHECK(read(told[0], &seen, sizeof(seen)) == sizeof(seen));
  CHECK(ExitOf(child) == 0);
  close(told[0]);
  close(told[1]);
  return seen;
}

// The last of a line of processes, each the child of the one before, tells who it is by its exit code.
static void Line(void) {
  for (int left = kLines; left > 0; --left) {
    const pid_t child = fork();
    if (child != 0) _exit(ExitOf(child));
  }
  _exit((int)RawUid());
}

// A child that is killed before it has made a call leaves nothing behind.
static void KillManyUnborn(void) {
  for (int i = 0; i < kKilled; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK(child > 0 && kill(child, SIGKILL) == 0 && wait(NULL) == child);
  }
  const pid_t child = fork();
  if (child == 0) _exit(setresuid(kOther, kOther, kOther) == 0 && RawUid() == kOther ? 0 : 1);
  CHECK(ExitOf(child) == 0);
  CHECK(geteuid() == 0);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    const uid_t seen = geteuid();
    return write(1, &seen, sizeof(seen)) == sizeof(seen) ? 0 : 1;
  }
  for (int i = 0; i < kRounds; ++i) {
    for (int execs = 0; execs < 2; ++execs) {
      CHECK(ChildSees(kOther, 0, execs, argv) == kOther);
      CHECK(ChildSees(0, kOther, execs, argv) == 0);
    }
  }
  const pid_t first = fork();
  if (first == 0) {
    CHECK(setresuid(kOther, kOther, kOther) == 0);
    Line();
  }
  CHECK(ExitOf(first) == kOther);
  KillManyUnborn();
  return Pass();
}
