// A vfork(2) child calls what another thread of its parent has rewritten since it was born: it is itself there, and
// leaves its parent's state alone.
#include <pthread.h>
#include <sched.h>

#include "tests/guests/guest.h"

enum { kUses = 200 };

extern long own_access(const char* path, int mode);
__asm__(
    ".text\n"
    ".p2align 4\n"
    "own_access:\n"
    "  mov $21, %eax\n"
    "  syscall\n"
    "  cmp $-4096, %rax\n"
    "  ret\n");

static volatile int g_begin, g_done;

static void* Use(void* argument) {
  (void)argument;
  while (g_begin == 0) sched_yield();
  long result = 0;
  for (int i = 0; i < kUses; ++i) result |= own_access("/", F_OK);
  g_done = 1;
  return (void*)result;
}

int main(void) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, Use, NULL) == 0);
  const pid_t child = vfork();
  if (child == 0) {
    g_begin = 1;
    while (g_done == 0) sched_yield();
    long result = 0;
    for (int i = 0; i < kUses; ++i) result |= own_access("/", F_OK);
    _exit(result == 0 && own_access("/none", F_OK) == -ENOENT ? 7 : 8);
  }
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  void* result = NULL;
  CHECK(pthread_join(thread, &result) == 0 && result == NULL);
  CHECK(own_access("/", F_OK) == 0 && own_access("/none", F_OK) == -ENOENT);
  return Pass();
}
