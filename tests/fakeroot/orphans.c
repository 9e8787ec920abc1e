// Who has inherited an identity keeps it when those it came from have gone and others live in their place.
#include "tests/guests/guest.h"

static int g_go[2];
static int g_told[2];

// Waits until told to, and tells who it is then.
static void Tell(void) {
  char byte;
  close(g_go[1]);  // so that it does not wait for a parent that has failed
  CHECK(read(g_go[0], &byte, 1) == 1);
  const uid_t uid = RawUid();
  CHECK(write(g_told[1], &uid, sizeof(uid)) == sizeof(uid));
  _exit(0);
}

// `depth` processes down; all but the last end at once.
static void Descend(int depth, int changes_at, uid_t uid) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child != 0) return;
  if (depth == changes_at) CHECK(syscall(SYS_setresuid, uid, uid, uid) == 0);
  if (depth == 0) Tell();
  Descend(depth - 1, changes_at, uid);
  _exit(0);
}

// As many processes as may take the place of those that have gone.
static void Replace(void) {
  for (int i = 0; i < 40; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK(ExitOf(child) == 0);
  }
}

// Lets the one that waits tell.
static uid_t Ask(void) {
  uid_t told;
  CHECK(write(g_go[1], "x", 1) == 1);
  CHECK(read(g_told[0], &told, sizeof(told)) == sizeof(told));
  return told;
}

static void OrphanSees(int depth, int changes_at, uid_t uid) {
  Descend(depth, changes_at, uid);
  CHECK(wait(NULL) > 0);
  Replace();
  const uid_t told = Ask();
  if (told != uid) fprintf(stderr, "depth %d, changed at %d: %u\n", depth, changes_at, told);
  CHECK(told == uid);
}

int main(void) {
  CHECK(pipe(g_go) == 0 && pipe(g_told) == 0);
  CHECK(RawUid() == 0);
  OrphanSees(1, -1, 0);
  OrphanSees(1, 1, 1000);
  OrphanSees(2, 2, 1001);
  OrphanSees(4, 4, 1002);
  OrphanSees(4, 2, 1003);
  // The changed one is the parent of all, and changes again once they are alone.
  const pid_t child = fork();
  if (child == 0) {
    CHECK(syscall(SYS_setresuid, 2000, 0, 0) == 0);
    Descend(3, -1, 0);
    CHECK(wait(NULL) > 0);
    CHECK(syscall(SYS_setresuid, 2002, 2002, 2002) == 0);
    Replace();
    CHECK(Ask() == 2000);
    _exit(0);
  }
  CHECK(ExitOf(child) == 0);
  return Pass();
}
