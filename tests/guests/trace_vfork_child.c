// A debugger's start: a vfork child asks to be traced and execs. Its tracer, asleep in vfork until then, finds it at
// the entry of its program, with the registers of a fresh start.
#include <elf.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "tests/guests/guest.h"

extern char** environ;

int main(int argc, char** argv) {
  if (argc > 1) return 7;
  const pid_t child = vfork();
  if (child == 0) {
    char* const again[] = {argv[0], "again", NULL};
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(90);
    execve(argv[0], again, environ);
    _exit(91);
  }
  int status;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
  struct user_regs_struct regs;
  CHECK(ptrace(PTRACE_GETREGS, child, NULL, &regs) == 0);
  CHECK(regs.rax == 0 && regs.rbx == 0 && regs.rcx == 0 && regs.rdx == 0 && regs.rsi == 0 && regs.rdi == 0);
  CHECK(regs.rbp == 0 && regs.r8 == 0 && regs.r11 == 0 && regs.r15 == 0 && regs.rsp % 16 == 0);
  // The program is there: argc, argv[0], argv[1], NULL.
  errno = 0;
  CHECK(ptrace(PTRACE_PEEKDATA, child, regs.rsp, NULL) == 2 && errno == 0);
  CHECK(ptrace(PTRACE_PEEKDATA, child, regs.rsp + 24, NULL) == 0 && errno == 0);
  // At its own entry, or its interpreter's, as its auxiliary vector says.
  char path[64];
  Elf64_auxv_t entry;
  uint64_t at_entry = 0, at_base = 0;
  snprintf(path, sizeof(path), "/proc/%d/auxv", child);
  FILE* file = fopen(path, "r");
  CHECK(file != NULL);
  while (fread(&entry, sizeof(entry), 1, file) == 1) {
    if (entry.a_type == AT_ENTRY) at_entry = entry.a_un.a_val;
    if (entry.a_type == AT_BASE) at_base = entry.a_un.a_val;
  }
  fclose(file);
  if (at_base == 0) {
    CHECK(regs.rip == at_entry);
  } else {
    CHECK(regs.rip > at_base && regs.rip - at_base < 0x100000);
  }
  // Other signals than the kernel's trap are the tracee's.
  int pass_on = 0;
  while (WIFSTOPPED(status)) {
    CHECK(ptrace(PTRACE_CONT, child, NULL, pass_on) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    pass_on = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
  }
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  return Pass();
}
