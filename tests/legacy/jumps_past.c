// A guest that makes old calls by an instruction that the shim lets through: what the kernel itself says.
#include "tests/guests/gadget.h"

#define THROUGH(nr, a, b, c) CallThrough(gadget, nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)

int main(void) {
  unsigned char* const gadget = FindGadget();
  CHECK(gadget != NULL);
  struct stat status;
  // A call that all kernels have passes, so it is the kernel that refuses the others.
  CHECK(THROUGH(SYS_fstat, 0, &status, 0) == 0);
  const char path[] = "/";
  CHECK(THROUGH(SYS_stat, path, &status, 0) == -ENOSYS);
  CHECK(THROUGH(SYS_open, path, O_RDONLY, 0) == -ENOSYS);
  CHECK(THROUGH(SYS_fork, 0, 0, 0) == -ENOSYS);
  CHECK(THROUGH(SYS_poll, 0, 0, 0) == -ENOSYS);
  CHECK(THROUGH(SYS_getpgrp | 0x40000000, 0, 0, 0) == -ENOSYS);
  // As a guest does them, they are there.
  CHECK(syscall(SYS_stat, path, &status) == 0 && syscall(SYS_poll, NULL, 0, 0) == 0);
  return Pass();
}
