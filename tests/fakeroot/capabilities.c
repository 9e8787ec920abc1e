// Capabilities as root has them, keeps them and gives them up. Real root passes this natively.
#include <linux/capability.h>
#include <sys/prctl.h>

#include "tests/guests/guest.h"

struct Sets {
  uint64_t effective;
  uint64_t permitted;
  uint64_t inheritable;
};

static const struct __user_cap_header_struct kOwn = {_LINUX_CAPABILITY_VERSION_3, 0};

static uint64_t Bit(int capability) { return (uint64_t)1 << capability; }

static struct Sets Get(void) {
  struct __user_cap_data_struct words[2];
  CHECK(syscall(SYS_capget, &kOwn, words) == 0);
  return (struct Sets){words[0].effective | (uint64_t)words[1].effective << 32,
                       words[0].permitted | (uint64_t)words[1].permitted << 32,
                       words[0].inheritable | (uint64_t)words[1].inheritable << 32};
}

static long Set(struct Sets sets) {
  const struct __user_cap_data_struct words[2] = {
      {(uint32_t)sets.effective, (uint32_t)sets.permitted, (uint32_t)sets.inheritable},
      {(uint32_t)(sets.effective >> 32), (uint32_t)(sets.permitted >> 32), (uint32_t)(sets.inheritable >> 32)}};
  return syscall(SYS_capset, &kOwn, words);
}

// As setpriv(1) and many daemons do it: the user id first.
static void KeepsThem(void) {
  CHECK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
  CHECK(syscall(SYS_setresuid, 5, 5, 5) == 0);
  struct Sets sets = Get();
  CHECK(sets.effective == 0 && (sets.permitted & Bit(CAP_SETGID)) != 0);
  FAILS(syscall(SYS_setresgid, 6, 6, 6), EPERM);
  sets.effective = Bit(CAP_SETGID);
  CHECK(Set(sets) == 0);
  CHECK(syscall(SYS_setresgid, 6, 6, 6) == 0 && syscall(SYS_setgroups, 0, NULL) == 0);
  CHECK(getuid() == 5 && getgid() == 6);
  FAILS(syscall(SYS_setresuid, 0, 0, 0), EPERM);
  CHECK(Set((struct Sets){0, 0, 0}) == 0);
  FAILS(Set(sets), EPERM);
  FAILS(syscall(SYS_setresgid, 7, 7, 7), EPERM);
}

static void LosesThem(void) {
  CHECK(seteuid(5) == 0);
  CHECK(Get().effective == 0 && Get().permitted != 0);
  CHECK(seteuid(0) == 0);
  CHECK(Get().effective == Get().permitted);
  CHECK(syscall(SYS_setresuid, 5, 5, 5) == 0);
  CHECK(Get().effective == 0 && Get().permitted == 0);
}

// Root without a capability may not do what takes it.
static void WithoutOne(void) {
  struct Sets sets = Get();
  sets.effective &= ~Bit(CAP_SETUID);
  CHECK(Set(sets) == 0);
  FAILS(syscall(SYS_setuid, 0x7fffffff), EPERM);
  sets.effective |= Bit(CAP_SETUID);
  sets.permitted &= ~Bit(CAP_SETGID);
  FAILS(Set(sets), EPERM);
  sets.effective &= ~Bit(CAP_SETGID);
  CHECK(Set(sets) == 0);
  FAILS(syscall(SYS_setgid, 7), EPERM);
  sets.permitted |= Bit(CAP_SETGID);
  FAILS(Set(sets), EPERM);
  CHECK(Get().permitted == (sets.permitted & ~Bit(CAP_SETGID)));
}

static void Words(void) {
  struct __user_cap_header_struct header = {0x1234, 0};
  struct __user_cap_data_struct words[2];
  FAILS(syscall(SYS_capget, &header, words), EINVAL);
  CHECK(header.version == _LINUX_CAPABILITY_VERSION_3);
  header.version = 0x1234;
  CHECK(syscall(SYS_capget, &header, NULL) == 0 && header.version == _LINUX_CAPABILITY_VERSION_3);
  header = (struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_1, getpid()};
  words[1].permitted = 77;
  CHECK(syscall(SYS_capget, &header, words) == 0 && words[0].effective != 0 && words[1].permitted == 77);
  header.pid = -1;
  FAILS(syscall(SYS_capget, &header, words), EINVAL);
  FAILS(syscall(SYS_capget, &kOwn, 1), EFAULT);
  FAILS(syscall(SYS_capset, &kOwn, 1), EFAULT);
  FAILS(syscall(SYS_capget, 1, words), EFAULT);
}

static void InAChild(void (*check)(void)) {
  const pid_t child = fork();
  if (child == 0) {
    check();
    _exit(3);
  }
  CHECK(ExitOf(child) == 3);
}

int main(void) {
  CHECK(Get().effective == Get().permitted && (Get().permitted & Bit(CAP_SETFCAP)) != 0);
  CHECK(Set(Get()) == 0);
  InAChild(Words);
  InAChild(KeepsThem);
  InAChild(LosesThem);
  InAChild(WithoutOne);
  // To the root directory that there is.
  CHECK(chroot("/") == 0 && chroot("/proc/../.") == 0);
  FAILS(chroot("/nothing"), ENOENT);
  FAILS(chroot("/proc/self/status"), ENOTDIR);
  return Pass();
}
