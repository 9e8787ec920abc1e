// A program that is stepped (the trap flag) from the call of execve(2) on, or that meets a breakpoint in front of it:
// natively no trap comes between the call and the new program, which is not stepped; so a SIGTRAP that is blocked,
// ignored or deadly ends nobody. Also where the site has been used often.
#include "tests/guests/guest.h"

enum { kUses = 300, kDead = 128 + SIGTRAP };
enum Front { kNothing, kBreakpoint, kTrapFlagBefore, kTrapFlag };
enum Response { kDefault, kIgnore, kBlock, kHandle };

extern char** environ;
static volatile int traps;

static void OnTrap(int signal) {
  (void)signal;
  ++traps;
}

// With instructions between, which trap.
static __attribute__((noinline)) long Exec(const char* path, char** arguments, long front) {
  long result = SYS_execve;
  __asm__ volatile(
      "sub $128, %%rsp\n"
      "cmp $1, %[front]; jb 2f; ja 1f\n"
      "int3; jmp 2f\n"
      "1: pushf; orq $0x100, (%%rsp); popf; nop\n"
      "2: syscall; cmp $-4096, %%rax\n"
      "add $128, %%rsp\n"
      : "+a"(result)
      : "D"(path), "S"(arguments), "d"(environ), [front] "r"(front)
      : "rcx", "r11", "memory", "cc");
  return result;
}

// With nothing between.
static __attribute__((noinline)) long ExecAtOnce(const char* path, char** arguments, unsigned long flag) {
  long result = SYS_execve;
  __asm__ volatile(
      "sub $128, %%rsp\n"
      "pushf; or %[flag], (%%rsp); popf\n"
      "syscall; cmp $-4096, %%rax\n"
      "add $128, %%rsp\n"
      : "+a"(result)
      : "D"(path), "S"(arguments), "d"(environ), [flag] "r"(flag)
      : "rcx", "r11", "memory", "cc");
  return result;
}

static int ExitAfter(char* program, enum Front front, enum Response response) {
  const pid_t child = fork();
  if (child != 0) return ExitOf(child);
  sigset_t trap;
  sigemptyset(&trap);
  sigaddset(&trap, SIGTRAP);
  if (response == kIgnore) CHECK(signal(SIGTRAP, SIG_IGN) != SIG_ERR);
  if (response == kBlock) CHECK(sigprocmask(SIG_BLOCK, &trap, NULL) == 0);
  if (response == kHandle) CHECK(signal(SIGTRAP, OnTrap) != SIG_ERR);
  char* arguments[] = {program, response == kBlock ? "blocked" : "open", NULL};
  if (front == kTrapFlag) ExecAtOnce(program, arguments, 0x100);
  Exec(program, arguments, front);
  _exit(1);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    sigset_t blocked, pending;
    unsigned long flags;
    __asm__ volatile("sub $128, %%rsp; pushf; pop %0; add $128, %%rsp" : "=r"(flags)::"memory", "cc");
    CHECK(sigprocmask(SIG_BLOCK, NULL, &blocked) == 0 && sigpending(&pending) == 0);
    CHECK((flags & 0x100) == 0 && !sigismember(&pending, SIGTRAP));
    CHECK(sigismember(&blocked, SIGTRAP) == (strcmp(argv[1], "blocked") == 0));
    return 7;
  }
  char* nothing[] = {"none", NULL};
  for (int round = 0; round < 2; ++round) {
    for (int response = kDefault; response <= kHandle; ++response) {
      CHECK(ExitAfter(argv[0], kNothing, response) == 7);
      CHECK(ExitAfter(argv[0], kBreakpoint, response) == (response == kHandle ? 7 : kDead));
      CHECK(ExitAfter(argv[0], kTrapFlag, response) == 7);
      CHECK(ExitAfter(argv[0], kTrapFlagBefore, response) == (response == kHandle ? 7 : kDead));
    }
    for (int i = 0; i < kUses; ++i) {
      CHECK(Exec("/none", nothing, kNothing) == -ENOENT && ExecAtOnce("/none", nothing, 0) == -ENOENT);
    }
  }
  return Pass();
}
