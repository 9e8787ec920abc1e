// A child of vfork(2) that is itself a child of one, and so on, makes calls at many sites, a few at each, while all
// above it wait: each is answered, also of those that are rewritten meanwhile, and all come back.
#include "tests/guests/guest.h"

enum { kDepth = 50, kSites = 20, kUses = 18 };

// The sum of getppid(2) at kSites sites.
extern long own_getppids(void);
__asm__(
    ".text\n"
    ".p2align 4\n"
    "own_getppids:\n"
    "  xor %edx, %edx\n"
    "  .rept 20\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  add %rax, %rdx\n"
    "  .endr\n"
    "  mov %rdx, %rax\n"
    "  ret\n");

// _exit(2) says whether all below were right.
static int Nest(int depth) {
  const pid_t self = getpid();
  const pid_t child = vfork();
  if (child != 0) return child < 0 ? 1 : ExitOf(child);
  if (depth > 0) _exit(Nest(depth - 1));
  int wrong = 0;
  for (int i = 0; i < kUses; ++i) wrong |= own_getppids() != kSites * (long)self;
  _exit(wrong);
}

int main(void) {
  CHECK(Nest(kDepth) == 0);
  CheckInside();
  return Pass();
}
