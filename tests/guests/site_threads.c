// Four threads use two hundred fresh sites at the same time, of which each has another instruction behind its call.
#include <pthread.h>

#include "tests/guests/guest.h"

enum { kSites = 200, kThreads = 4, kRounds = 400 };
extern const char sites_first[];

// Every 64 bytes: mov $getppid,%eax; syscall; an instruction that may be moved; what makes the result another; ret
__asm__(
    ".text\n"
    ".p2align 6\n"
    "sites_first:\n"
    ".rept 50\n"
    "  .p2align 6; mov $110, %eax; syscall; add $1000, %rax; ret\n"
    "  .p2align 6; mov $110, %eax; syscall; cmp $-4096, %rax; ja 1f; add $2000, %rax; 1: ret\n"
    "  .p2align 6; mov $110, %eax; syscall; mov %rax, %r8; lea 3000(%r8), %rax; ret\n"
    "  .p2align 6; mov $110, %eax; syscall; ret; .p2align 6, 0x90\n"
    ".endr\n");

static pthread_barrier_t all_there;
static long parent;

static void* Thread(void* argument) {
  const size_t self = (size_t)(uintptr_t)argument;
  static const long kAdded[] = {1000, 2000, 3000, 0};
  pthread_barrier_wait(&all_there);
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < kSites; ++i) {
      // Half of them meet at the same site, half come from the other end.
      const size_t site = self % 2 == 0 ? i : kSites - 1 - i;
      const long result = ((long (*)(void))(uintptr_t)(sites_first + site * 64))();
      CHECK(result == parent + kAdded[site % 4]);
    }
  }
  return NULL;
}

int main(void) {
  parent = getppid();
  pthread_t threads[kThreads];
  CHECK(pthread_barrier_init(&all_there, NULL, kThreads) == 0);
  for (size_t i = 0; i < kThreads; ++i) CHECK(pthread_create(&threads[i], NULL, Thread, (void*)i) == 0);
  for (size_t i = 0; i < kThreads; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  return Pass();
}
