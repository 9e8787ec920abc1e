// While some threads make children that execute programs, what another maps and unmaps is its own, wherever the kernel
// puts it.
#include <pthread.h>
#include <sys/mman.h>

#include "tests/guests/guest.h"

enum { kMakers = 2, kChildren = 150 };

extern char** environ;
static const char* self;
static volatile int makers_left = kMakers;

static void* Make(void* argument) {
  char* const argv[] = {(char*)(uintptr_t)self, (char*)"child", NULL};
  for (int i = 0; i < kChildren; ++i) {
    const pid_t child = vfork();
    if (child == 0) {
      execve(self, argv, environ);
      _exit(1);
    }
    CHECK(ExitOf(child) == 7);
  }
  __sync_fetch_and_sub(&makers_left, 1);
  return argument;
}

int main(int argc, char** argv) {
  if (argc == 2) return 7;
  pthread_t makers[kMakers];
  self = argv[0];
  for (int i = 0; i < kMakers; ++i) CHECK(pthread_create(&makers[i], NULL, Make, NULL) == 0);
  while (makers_left > 0) {
    for (size_t pages = 1; pages < 20; ++pages) {
      char* const at = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      CHECK(at != MAP_FAILED);
      CHECK(mprotect(at, pages * 4096, PROT_READ) == 0);
      CHECK(munmap(at, pages * 4096) == 0);
    }
  }
  for (int i = 0; i < kMakers; ++i) CHECK(pthread_join(makers[i], NULL) == 0);
  return Pass();
}
