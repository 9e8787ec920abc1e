// A call with two short instructions behind it, both of which have to move: code that comes to the first or the second
// by branches of its own; before the site has been used often, and after; also while another thread uses it.
#include <pthread.h>

#include "tests/guests/guest.h"

long pair_call(void);
long pair_jump(long value, const void* to);
extern const char pair_site[], pair_behind[], pair_second[];
long pair_futex(void);

__asm__(
    ".text\n"
    ".p2align 4\n"
    "pair_call:\n"
    "  mov $110, %eax\n"  // getppid
    "pair_site:\n"
    "  syscall\n"
    "pair_behind:\n"
    "  mov %eax, %edx\n"
    "pair_second:\n"
    "  neg %edx\n"
    "  movslq %edx, %rax\n"
    "  ret\n"
    "pair_jump:\n"
    "  mov %rdi, %rax\n"
    "  mov $0x7777, %edx\n"
    "  stc\n"
    "  jmp *%rsi\n"
    // Of another size: the second has five bytes, and sets the flags.
    ".p2align 4\n"
    "pair_futex:\n"
    "  mov $39, %eax\n"  // getpid
    "  syscall\n"
    "  mov %eax, %edx\n"
    "  cmp $0xfffff000, %eax\n"
    "  mov $-1, %rax\n"
    "  ja 1f\n"
    "  mov %rdx, %rax\n"
    "1: ret\n");

static long parent, self;

static void Use(int times) {
  for (int i = 0; i < times; ++i) {
    CHECK(pair_call() == -parent && pair_futex() == self);
    if (i % 8 != 0) continue;
    CHECK(pair_jump(1000, pair_behind) == -1000);
    CHECK(pair_jump(1000, pair_second) == -0x7777);
    CHECK(pair_jump(SYS_getppid, pair_site) == -parent);
    CHECK(pair_jump(SYS_getuid, pair_site) == -(long)ExpectedUid());
  }
}

static void* Thread(void* argument) {
  Use(2000);
  return argument;
}

int main(void) {
  parent = getppid();
  self = getpid();
  CHECK(pair_jump(5, pair_behind) == -5 && pair_jump(6, pair_second) == -0x7777);
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) CHECK(pthread_create(&threads[i], NULL, Thread, NULL) == 0);
  Use(2000);
  for (int i = 0; i < 2; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  Use(500);
  return Pass();
}
