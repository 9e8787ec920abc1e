// A guest that makes old calls by an instruction that the shim lets through: what the kernel itself says.
#include "tests/guests/guest.h"

typedef unsigned char Byte;

// A `syscall; ret` in the image, which begins where the first executable mapping of the memfd or file called guise-shim
// does.
static Byte* FindGadget(void) {
  char line[512];
  FILE* const maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  while (fgets(line, sizeof(line), maps) != NULL) {
    unsigned long start, end;
    char access[5];
    if (strstr(line, "guise-shim") == NULL || sscanf(line, "%lx-%lx %4s", &start, &end, access) != 3) continue;
    if (access[2] != 'x') continue;
    for (Byte* at = (Byte*)start; at + 3 <= (Byte*)end; ++at) {
      if (memcmp(at, "\x0f\x05\xc3", 3) == 0) return at;
    }
  }
  return NULL;
}

static long Through(Byte* gadget, long nr, long a, long b, long c) {
  long result = nr;
  __asm__ volatile("call *%1" : "+a"(result) : "r"(gadget), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory", "cc");
  return result;
}

int main(void) {
  Byte* const gadget = FindGadget();
  CHECK(gadget != NULL);
  struct stat status;
  // A call that all kernels have passes, so it is the kernel that refuses the others.
  CHECK(Through(gadget, SYS_fstat, 0, (long)&status, 0) == 0);
  const char path[] = "/";
  CHECK(Through(gadget, SYS_stat, (long)path, (long)&status, 0) == -ENOSYS);
  CHECK(Through(gadget, SYS_open, (long)path, O_RDONLY, 0) == -ENOSYS);
  CHECK(Through(gadget, SYS_fork, 0, 0, 0) == -ENOSYS);
  CHECK(Through(gadget, SYS_poll, 0, 0, 0) == -ENOSYS);
  CHECK(Through(gadget, SYS_getpgrp | 0x40000000, 0, 0, 0) == -ENOSYS);
  // As a guest does them, they are there.
  CHECK(syscall(SYS_stat, path, &status) == 0 && syscall(SYS_poll, NULL, 0, 0) == 0);
  return Pass();
}
