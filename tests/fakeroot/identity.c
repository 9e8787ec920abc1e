// The set*id calls by Linux's rules, from root down. Real root passes this natively.
#include <grp.h>
#include <stddef.h>
#include <sys/fsuid.h>
#include <sys/socket.h>

#include "tests/guests/guest.h"

// Raw calls: a libc applies some of these to all threads, by signals.
static long SetResUid(int real, int effective, int saved) { return syscall(SYS_setresuid, real, effective, saved); }
static long SetResGid(int real, int effective, int saved) { return syscall(SYS_setresgid, real, effective, saved); }

static void UidsAre(uid_t real, uid_t effective, uid_t saved) {
  uid_t r;
  uid_t e;
  uid_t s;
  CHECK(getresuid(&r, &e, &s) == 0);
  if (r != real || e != effective || s != saved) fprintf(stderr, "%u %u %u\n", r, e, s);
  CHECK(r == real && e == effective && s == saved && RawUid() == real && geteuid() == effective);
}

static void GidsAre(gid_t real, gid_t effective, gid_t saved) {
  gid_t r;
  gid_t e;
  gid_t s;
  CHECK(getresgid(&r, &e, &s) == 0);
  CHECK(r == real && e == effective && s == saved && getgid() == real && getegid() == effective);
}

static void SetUid(void) {
  CHECK(syscall(SYS_setuid, 1000) == 0);
  UidsAre(1000, 1000, 1000);
  FAILS(syscall(SYS_setuid, 0), EPERM);
  FAILS(SetResUid(-1, 0, -1), EPERM);
  CHECK(syscall(SYS_setuid, 1000) == 0);
  FAILS(chown(".", 5, 5), EPERM);
}

static void EffectiveOnly(void) {
  CHECK(SetResUid(-1, 1000, -1) == 0);
  UidsAre(0, 1000, 0);
  FAILS(SetResUid(2000, -1, -1), EPERM);
  CHECK(SetResUid(-1, 0, -1) == 0);
  UidsAre(0, 0, 0);
  CHECK(SetResUid(1, 2, 3) == 0);
  UidsAre(1, 2, 3);
  CHECK(SetResUid(3, 1, 2) == 0);
  UidsAre(3, 1, 2);
  FAILS(SetResUid(4, -1, -1), EPERM);
  CHECK(SetResUid(-1, -1, -1) == 0);
  UidsAre(3, 1, 2);
}

static void ReUid(void) {
  CHECK(syscall(SYS_setreuid, 5, 6) == 0);
  UidsAre(5, 6, 6);
  CHECK(syscall(SYS_setreuid, 6, 5) == 0);
  UidsAre(6, 5, 5);
  FAILS(syscall(SYS_setreuid, 9, -1), EPERM);
}

static void Gids(void) {
  CHECK(SetResGid(1, 2, 3) == 0);
  GidsAre(1, 2, 3);
  CHECK(syscall(SYS_setgid, 8) == 0);
  GidsAre(8, 8, 8);
  CHECK(syscall(SYS_setregid, 4, 5) == 0);
  GidsAre(4, 5, 5);
  CHECK(syscall(SYS_setuid, 1000) == 0);
  FAILS(syscall(SYS_setgid, 0), EPERM);
  CHECK(syscall(SYS_setgid, 4) == 0);
  GidsAre(4, 4, 5);
}

static void FileSystemIds(void) {
  CHECK(setfsuid(77) == 0 && setfsuid(77) == 77 && setfsgid(78) == 0 && setfsgid(78) == 78);
  CHECK(SetResUid(-1, 5, -1) == 0);
  CHECK(setfsuid(5) == 5 && setfsuid(99) == 5 && setfsuid(0) == 5 && setfsuid(-1) == 0);
}

static void Groups(void) {
  const gid_t some[] = {30, 10, 20};
  gid_t got[40];
  CHECK(syscall(SYS_setgroups, 3, some) == 0 && getgroups(0, NULL) == 3 && getgroups(40, got) == 3);
  CHECK(got[0] + got[1] + got[2] == 60);
  FAILS(getgroups(2, got), EINVAL);
  FAILS(syscall(SYS_setgroups, 70000, some), EINVAL);
  FAILS(syscall(SYS_setgroups, 3, (void*)1), EFAULT);
  gid_t many[64];
  gid_t back[64];
  for (gid_t i = 0; i < 64; ++i) many[i] = 1000 + i;
  CHECK(syscall(SYS_setgroups, 64, many) == 0 && getgroups(64, back) == 64 && memcmp(many, back, sizeof(many)) == 0);
  CHECK(syscall(SYS_setgroups, 0, NULL) == 0 && getgroups(0, NULL) == 0);
  CHECK(syscall(SYS_setuid, 1000) == 0);
  FAILS(syscall(SYS_setgroups, 3, some), EPERM);
}

static void Inherited(void) {
  CHECK(SetResUid(1, 2, 3) == 0);
  const pid_t child = fork();
  if (child == 0) {
    UidsAre(1, 2, 3);
    CHECK(SetResUid(2, 2, 2) == 0);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      UidsAre(2, 2, 2);
      _exit(5);
    }
    CHECK(ExitOf(grandchild) == 5);
    _exit(4);
  }
  CHECK(ExitOf(child) == 4);
  UidsAre(1, 2, 3);
}

static void Bad(void) {
  FAILS(syscall(SYS_setuid, -1), EINVAL);
  FAILS(syscall(SYS_setgid, -1), EINVAL);
  UidsAre(0, 0, 0);
  GidsAre(0, 0, 0);
}

static void InChild(void (*test)(void)) {
  const pid_t child = fork();
  if (child == 0) {
    test();
    _exit(6);
  }
  CHECK(ExitOf(child) == 6);
  UidsAre(0, 0, 0);
  GidsAre(0, 0, 0);
}

// Who is at the other end of a socket is told as who asks is.
static void Peers(void) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  struct ucred peer;
  socklen_t size = sizeof(peer);
  CHECK(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && size == sizeof(peer));
  CHECK(peer.pid == getpid() && peer.uid == 0 && peer.gid == 0);
  struct ucred part = {-1, 7, 7};
  size = offsetof(struct ucred, gid);
  CHECK(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &part, &size) == 0 && size == offsetof(struct ucred, gid));
  CHECK(part.pid == getpid() && part.uid == 0 && part.gid == 7);
  size = 0;
  CHECK(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &part, &size) == 0 && size == 0);
  size = (socklen_t)-1;
  FAILS(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &part, &size), EINVAL);
  FAILS(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &part, NULL), EFAULT);
  FAILS(getsockopt(-1, SOL_SOCKET, SO_PEERCRED, &part, &size), EBADF);
  size = sizeof(peer);
  CHECK(getsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &peer, &size) == 0 && size == sizeof(int));
}

int main(int argc, char** argv) {
  if (argc > 1) {
    UidsAre(1, 2, 2);  // the saved id follows the effective one over an exec
    return Pass();
  }
  InChild(SetUid);
  InChild(EffectiveOnly);
  InChild(ReUid);
  InChild(Gids);
  InChild(FileSystemIds);
  InChild(Groups);
  InChild(Inherited);
  InChild(Bad);
  InChild(Peers);
  CHECK(SetResUid(1, 2, 3) == 0);
  execl(argv[0], argv[0], "again", NULL);
  CHECK(0);
}
