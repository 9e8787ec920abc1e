// Says that it needs a kernel that nobody has yet, and which one it is told of.
#include <sys/utsname.h>

#include "tests/guests/guest.h"

// ABI: glibc's csu/abi-note.c: name "GNU", type 1, {0 for Linux, major, minor, patch}.
__asm__(
    ".pushsection .note.ABI-tag, \"a\", @note\n"
    "  .long 4, 16, 1\n"
    "  .asciz \"GNU\"\n"
    "  .long 0, 99, 1, 2\n"
    ".popsection\n");

int main(void) {
  struct utsname name;
  CHECK(uname(&name) == 0);
  puts(name.release);
  return Pass();
}
