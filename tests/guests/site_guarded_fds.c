// Fds that the program does not have are not open at sites that are used often, either.
#include <fcntl.h>

#include "tests/guests/guest.h"

static __attribute__((noinline)) long Write(long fd, const void* from, long size) {
  long result = SYS_write;
  __asm__ volatile("syscall\n  cmp $-4096, %%rax"
                   : "+a"(result)
                   : "D"(fd), "S"(from), "d"(size)
                   : "rcx", "r11", "memory");
  return result;
}

int main(void) {
  CHECK(syscall(SYS_close_range, 3, -1, 0) == 0);
  const int fd = open("/dev/null", O_WRONLY);
  CHECK(fd >= 0);
  for (int i = 0; i < 300; ++i) CHECK(Write(fd, "x", 1) == 1);
  for (int other = 200; other < 300; ++other) CHECK(Write(other, "x", 1) == -EBADF);
  CHECK(Write(-1, "x", 1) == -EBADF && Write(1 << 24, "x", 1) == -EBADF && Write(INT32_MIN, "x", 1) == -EBADF);
  CHECK(Write(fd | (long)(1UL << 32), "x", 1) == 1);
  // One of the numbers becomes the program's.
  for (int wanted = 224; wanted < 227; ++wanted) {
    CHECK(dup2(fd, wanted) == wanted && Write(wanted, "x", 1) == 1);
    CHECK(close(wanted) == 0 && Write(wanted, "x", 1) == -EBADF);
  }
  for (int other = 3; other < 1024; ++other) {
    if (other != fd) CHECK(Write(other, "x", 1) == -EBADF);
  }
  return Pass();
}
