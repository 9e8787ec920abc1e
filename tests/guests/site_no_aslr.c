// A program that has its addresses not randomised, by executing itself anew: they stay so in children and over the next
// exec, and sites that are used often work as before.
#include <sys/personality.h>

#include "tests/guests/guest.h"

enum { kUses = 300 };

// Not inlined: one site.
static __attribute__((noinline)) long Call(long nr) {
  __asm__ volatile("syscall\n  cmp $-4096, %%rax" : "+a"(nr) : : "rcx", "r11", "memory");
  return nr;
}

int main(int argc, char** argv) {
  char* const self = argv[0];
  if (argc == 1) {
    const int before = personality(0xffffffff);
    CHECK(before >= 0 && personality((unsigned long)before | ADDR_NO_RANDOMIZE) == before);
    execl(self, self, "fixed", NULL);
    CHECK(!"executed");
  }
  CHECK((personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0);
  char stack[32];
  snprintf(stack, sizeof(stack), "%p", (void*)argv);
  const long parent = getppid();
  for (int i = 0; i < kUses; ++i) CHECK(Call(SYS_getppid) == parent && Call(SYS_getuid) == (long)ExpectedUid());
  if (argc == 3) {
    // What two executions with the same words see lies in the same places.
    puts(stack);
    return fflush(stdout);
  }
  char said[2][32] = {"", ""};
  for (int i = 0; i < 2; ++i) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
      CHECK(dup2(ends[1], 1) == 1);
      execl(self, self, "fixed", "child", NULL);
    }
    CHECK(close(ends[1]) == 0 && read(ends[0], said[i], sizeof(said[i])) > 0 && close(ends[0]) == 0);
    CHECK(ExitOf(child) == 0);
  }
  CHECK(strcmp(said[0], said[1]) == 0);
  return Pass();
}
