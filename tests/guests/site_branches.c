// Code that comes to a call, or to the instruction behind it, by branches of its own: before the site has been used
// often, and after; also while another thread uses it.
#include <pthread.h>

#include "tests/guests/guest.h"

long by_call(void);
long skip_call(long value);
long indirect(long value, const void* to);
extern const char branches_site[], branches_behind[];

__asm__(
    ".text\n"
    ".p2align 4\n"
    "by_call:\n"
    "  mov $110, %eax\n"  // getppid
    "branches_site:\n"
    "  syscall\n"
    "branches_behind:\n"
    "  add $0x12345, %rax\n"
    "  ret\n"
    "skip_call:\n"
    "  mov %rdi, %rax\n"
    "  jmp branches_behind\n"
    "indirect:\n"
    "  mov %rdi, %rax\n"
    "  mov $0x7777, %ecx\n"
    "  stc\n"
    "  jmp *%rsi\n");

static long parent;

static void Use(int times) {
  for (int i = 0; i < times; ++i) {
    CHECK(by_call() == parent + 0x12345);
    if (i % 8 == 0) {
      CHECK(skip_call(1000) == 1000 + 0x12345);
      CHECK(indirect(2000, branches_behind) == 2000 + 0x12345);
      CHECK(indirect(SYS_getppid, branches_site) == parent + 0x12345);
      CHECK(indirect(SYS_getuid, branches_site) == (long)ExpectedUid() + 0x12345);
    }
  }
}

static void* Thread(void* argument) {
  Use(2000);
  return argument;
}

int main(void) {
  parent = getppid();
  CHECK(skip_call(5) == 5 + 0x12345 && indirect(6, branches_behind) == 6 + 0x12345);
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) CHECK(pthread_create(&threads[i], NULL, Thread, NULL) == 0);
  Use(2000);
  for (int i = 0; i < 2; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  Use(500);
  return Pass();
}
