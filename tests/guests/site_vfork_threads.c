// A vfork(2) child calls what another thread of its parent has rewritten since it was born: it is itself there, and
// leaves its parent's state alone.
#include <pthread.h>
#include <sched.h>

#include "tests/guests/guest.h"

enum { kUses = 200 };

extern long own_call(long nr, const void* a, const void* b, const void* c, long d);
__asm__(
    ".text\n"
    ".p2align 4\n"
    "own_call:\n"
    "  mov %rcx, %r9\n"
    "  mov %r8, %r10\n"
    "  mov %rdi, %rax\n"
    "  mov %rsi, %rdi\n"
    "  mov %rdx, %rsi\n"
    "  mov %r9, %rdx\n"
    "  syscall\n"
    "  cmp $-4096, %rax\n"
    "  ret\n");

static volatile int g_begin, g_done;

static long OwnAccess(const char* path) { return own_call(SYS_access, path, F_OK, NULL, 0); }

static void* Use(void* argument) {
  (void)argument;
  while (g_begin == 0) sched_yield();
  long result = 0;
  for (int i = 0; i < kUses; ++i) result |= OwnAccess("/");
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
    for (int i = 0; i < kUses; ++i) result |= OwnAccess("/");
    // What a process does with signals is its own, also of one that shares memory.
    const struct {
      void (*handler)(int);
      unsigned long flags;
      void (*restorer)(void);
      unsigned long mask;
    } ignored = {.handler = SIG_IGN};
    result |= own_call(SYS_rt_sigaction, (const void*)SIGUSR1, &ignored, NULL, sizeof(ignored.mask));
    _exit(result == 0 && OwnAccess("/none") == -ENOENT ? 7 : 8);
  }
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  void* result = NULL;
  CHECK(pthread_join(thread, &result) == 0 && result == NULL);
  struct sigaction mine;
  CHECK(sigaction(SIGUSR1, NULL, &mine) == 0 && mine.sa_handler == SIG_DFL);
  CHECK(OwnAccess("/") == 0 && OwnAccess("/none") == -ENOENT);
  return Pass();
}
