// A thread made by the raw clone(2), without TLS, on a small stack, that knows nothing of libc.
#include <linux/futex.h>
#include <sched.h>

#include "tests/guests/guest.h"

static volatile long seen[3] = {-1, -1, -1};
static volatile int tid_word = -1;

extern long RawThread(unsigned long flags, void* stack, volatile int* tid);
// The child calls getuid, gettid and getuid again, stores them and exits; the parent returns.
__asm__(
    ".text\n"
    "RawThread:\n"
    "  mov %rdx, %r10\n"
    "  mov $56, %eax\n"
    "  xor %r8d, %r8d\n"
    "  syscall\n"
    "  test %rax, %rax\n"
    "  jz 1f\n"
    "  ret\n"
    "1: xor %ebp, %ebp\n"
    "  mov $102, %eax; syscall; mov %rax, seen(%rip)\n"
    "  mov $186, %eax; syscall; mov %rax, seen+8(%rip)\n"
    "  mov $102, %eax; syscall; mov %rax, seen+16(%rip)\n"
    "  xor %edi, %edi\n"
    "  mov $60, %eax\n"
    "  syscall\n"
    "  hlt\n");

int main(void) {
  static char stack[16384] __attribute__((aligned(16)));
  const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                              CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
  for (int i = 0; i < 50; ++i) {
    tid_word = -1;
    seen[0] = seen[1] = seen[2] = -1;
    const long tid = RawThread(flags, stack + sizeof(stack), &tid_word);
    CHECK(tid > 0);
    int word;
    while ((word = tid_word) != 0) syscall(SYS_futex, &tid_word, FUTEX_WAIT, word, NULL, NULL, 0);
    CHECK(seen[0] == (long)ExpectedUid() && seen[1] == tid && seen[2] == (long)ExpectedUid());
  }
  return Pass();
}
