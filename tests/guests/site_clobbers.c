// What a call leaves in rcx and r11, the address behind it and the flags, is the same at a site that is used for the
// first time and at one that is used often, wherever the call is answered.
#include <fcntl.h>

#include "tests/guests/guest.h"

struct Left {
  uint64_t rcx, r11, behind, result;
};

// Its site, and what it leaves behind: one a number.
#define DEFINE_CALL(name)                                                              \
  static __attribute__((noinline)) struct Left name(long nr, long a, long b, long c) { \
    struct Left left;                                                                  \
    register long r10 __asm__("r10") = 8;                                              \
    __asm__ volatile(                                                                  \
        "pushf; orq $0x8d5, (%%rsp); popf\n"                                           \
        "syscall\n"                                                                    \
        "1: mov %%rcx, %0\n"                                                           \
        "mov %%r11, %1\n"                                                              \
        "lea 1b(%%rip), %%rcx\n"                                                       \
        "mov %%rcx, %2\n"                                                              \
        : "=m"(left.rcx), "=m"(left.r11), "=m"(left.behind), "+a"(nr)                  \
        : "D"(a), "S"(b), "d"(c), "r"(r10)                                             \
        : "rcx", "r11", "memory", "cc");                                               \
    left.result = (uint64_t)nr;                                                        \
    return left;                                                                       \
  }

DEFINE_CALL(Getppid)
DEFINE_CALL(Getuid)
DEFINE_CALL(Write)
DEFINE_CALL(Access)
DEFINE_CALL(Mask)
DEFINE_CALL(Stat)

typedef struct Left (*Call)(long, long, long, long);

static void Use(Call call, long nr, long a, long b, long c, long result) {
  enum { kStatusFlags = 0x8d5 };
  for (int i = 0; i < 100; ++i) {
    const struct Left left = call(nr, a, b, c);
    CHECK((long)left.result == result);
    CHECK(left.rcx == left.behind);
    CHECK((left.r11 & kStatusFlags) == kStatusFlags);
  }
}

int main(void) {
  struct stat status;
  const int fd = open("/dev/null", O_RDWR);
  CHECK(fd >= 0);
  Use(Getppid, SYS_getppid, 0, 0, 0, getppid());
  Use(Getuid, SYS_getuid, 0, 0, 0, (long)ExpectedUid());
  Use(Write, SYS_write, fd, (long)"x", 1, 1);
  Use(Access, SYS_access, (long)"/dev/null", R_OK, 0, 0);
  Use(Mask, SYS_rt_sigprocmask, SIG_BLOCK, 0, 0, 0);
  Use(Stat, SYS_stat, (long)"/dev/null", (long)&status, 0, 0);
  return Pass();
}
