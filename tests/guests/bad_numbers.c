// Numbers that no kernel knows give ENOSYS, x32's too.
#include "tests/guests/guest.h"

int main(void) {
  static const long kNumbers[] = {1023, 1024, 1025, 4096, 0x7fffffff, 0x40000000 + 39, 0x80000000l, -1, -2, -1000};
  for (unsigned i = 0; i < sizeof(kNumbers) / sizeof(kNumbers[0]); ++i) FAILS(syscall(kNumbers[i]), ENOSYS);
  FAILS(syscall(SYS_tuxcall), ENOSYS);
  FAILS(syscall(SYS_create_module), ENOSYS);
  // The kernel looks at eax alone: bits above it do not count.
  CHECK(syscall((long)(0x100000000ull | SYS_getpid)) == getpid());
  return Pass();
}
