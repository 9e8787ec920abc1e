// A vfork(2) child makes calls from the text that it shares with its parent, until their sites are rewritten: those
// that it alone makes, and the one that its parent will come back to. The parent goes on as it should, also when the
// child is killed.
#include <signal.h>

#include "tests/guests/guest.h"

enum { kUses = 100 };

// getppid(2); vfork(2), whose child leaves the function before the parent does.
extern long own_getppid(void);
extern long own_vfork(void);
__asm__(
    ".text\n"
    ".p2align 4\n"
    "own_getppid:\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  mov %rax, %rdx\n"
    "  mov %rdx, %rax\n"
    "  ret\n"
    ".p2align 4\n"
    "own_vfork:\n"
    "  pop %rdi\n"
    "  mov $58, %eax\n"
    "  syscall\n"
    "  mov %rax, %rdx\n"
    "  mov %rdx, %rax\n"
    "  jmp *%rdi\n");

static volatile int g_wrong;

static void Call(long parent) {
  for (int i = 0; i < kUses; ++i) g_wrong += own_getppid() != parent;
}

static pid_t MakeChild(int kills, int depth) {
  const pid_t self = getpid();
  const pid_t child = (pid_t)own_vfork();
  if (child != 0) return child;
  Call(self);
  // Until the site that the parent returns to is rewritten, too.
  for (int i = 0; depth > 0 && i < kUses; ++i) {
    const pid_t grandchild = (pid_t)own_vfork();
    if (grandchild == 0) _exit(0);
    g_wrong += grandchild < 0 || waitpid(grandchild, NULL, 0) != grandchild;
  }
  if (kills) kill(getpid(), SIGKILL);
  _exit(0);
}

int main(void) {
  const pid_t parent = getppid();
  for (int round = 0; round < 4; ++round) {
    int status = 0;
    const pid_t child = MakeChild(round % 2, round / 2);
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(round % 2 != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : status == 0);
    Call(parent);
    CHECK(g_wrong == 0);
  }
  return Pass();
}
