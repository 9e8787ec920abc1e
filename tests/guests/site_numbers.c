// One site that has made the same call often is then used with other numbers, of all kinds: each has the result that it
// has at a site that is used once.
#include <fcntl.h>

#include "tests/guests/guest.h"

// Not inlined: one site.
static __attribute__((noinline)) long Call(unsigned long nr, long a, long b, long c) {
  long result = (long)nr;
  register long r10 __asm__("r10") = 0;
  __asm__ volatile("syscall\n  cmp $-4096, %%rax"
                   : "+a"(result)
                   : "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}

int main(void) {
  const long parent = getppid();
  const int fd = open("/dev/null", O_RDWR);
  CHECK(fd >= 0);
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 20; ++i) CHECK(Call(SYS_getppid, 0, 0, 0) == parent);
    CHECK(Call(SYS_getuid, 0, 0, 0) == (long)ExpectedUid());
    CHECK(Call(SYS_write, fd, (long)"x", 1) == 1);
    CHECK(Call(SYS_write, -1, (long)"x", 1) == -EBADF);
    CHECK(Call(SYS_write, 224, (long)"x", 1) == -EBADF && Call(SYS_write, 225, (long)"x", 1) == -EBADF);
    CHECK(Call(SYS_access, (long)"/dev/null", R_OK, 0) == 0);
    CHECK(Call(SYS_access, 8, R_OK, 0) == -EFAULT);
    CHECK(Call(1000, 0, 0, 0) == -ENOSYS && Call(1023, 0, 0, 0) == -ENOSYS && Call(1024, 0, 0, 0) == -ENOSYS);
    CHECK(Call(5000, 0, 0, 0) == -ENOSYS && Call(-1UL, 0, 0, 0) == -ENOSYS);
    CHECK(Call(0x40000000UL | SYS_getppid, 0, 0, 0) == -ENOSYS || Call(0x40000000UL | SYS_getppid, 0, 0, 0) == parent);
    // The kernel looks at 32 bits of it.
    CHECK(Call(0xffffffff00000000UL | SYS_getppid, 0, 0, 0) == parent);
    CHECK(Call(0x100000000UL | SYS_getuid, 0, 0, 0) == (long)ExpectedUid());
    CHECK(Call(0x10000UL | SYS_getppid, 0, 0, 0) == -ENOSYS);
  }
  return Pass();
}
