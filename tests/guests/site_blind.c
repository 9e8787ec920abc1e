// Threads that block all signals meet others at fresh sites: whatever comes to lie behind a call, who comes back from
// it can take no fault there.
#include <pthread.h>

#include "tests/guests/guest.h"

enum { kSites = 1500, kThreads = 4, kTimes = 80 };
extern const char sites_first[];

// Every 16 bytes: mov $getppid,%eax; syscall; an instruction that may be moved; ret
__asm__(
    ".text\n"
    ".p2align 6\n"
    "sites_first:\n"
    ".rept 1500\n"
    "  .p2align 4; mov $110, %eax; syscall; add $1000, %rax; ret\n"
    ".endr\n");

static pthread_barrier_t all_there;
static long parent;

static void* Thread(void* argument) {
  const size_t self = (size_t)(uintptr_t)argument;
  sigset_t all;
  sigfillset(&all);
  if (self % 2 == 1) CHECK(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
  pthread_barrier_wait(&all_there);
  for (size_t site = 0; site < kSites; ++site) {
    for (int i = 0; i < kTimes; ++i) CHECK(((long (*)(void))(uintptr_t)(sites_first + site * 16))() == parent + 1000);
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
