// Calls that go around the shim: by an instruction of its image, which dispatch lets through.
#ifndef GUISE_TESTS_GUESTS_GADGET_H_
#define GUISE_TESTS_GUESTS_GADGET_H_

#include "tests/guests/guest.h"

// A `syscall; ret` in the image. NULL: none.
static inline unsigned char* FindGadget(void) {
  char line[512];
  FILE* const maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
    unsigned long start, end;
    char access[5];
    // In a sandbox it lies on a mount of its own, and has no name.
    const int is_image = strstr(line, "guise-shim") != NULL || strstr(line, " /\n") != NULL;
    if (!is_image || sscanf(line, "%lx-%lx %4s", &start, &end, access) != 3) continue;
    if (access[2] != 'x') continue;
    for (unsigned char* at = (unsigned char*)start; at + 3 <= (unsigned char*)end; ++at) {
      if (memcmp(at, "\x0f\x05\xc3", 3) == 0) return at;
    }
  }
  return NULL;
}

// The kernel's own word: a value or -errno.
static inline long CallThrough(unsigned char* gadget, long nr, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result = nr;
  __asm__ volatile("call *%%rbx"
                   : "+a"(result)
                   : "b"(gadget), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory", "cc");
  return result;
}

#endif  // GUISE_TESTS_GUESTS_GADGET_H_
