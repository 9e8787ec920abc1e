// Guests look at each other: ptrace reads and writes memory and registers, process_vm_readv and _writev, /proc/PID/mem.
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "tests/guests/guest.h"

static volatile long word = 1;

// Until the child waits in its read(2): before, it is still about to make the call.
static void AwaitReader(pid_t child) {
  char path[64], state = 0;
  snprintf(path, sizeof(path), "/proc/%d/stat", child);
  while (state != 'S') {
    FILE* const file = fopen(path, "r");
    CHECK(file != NULL && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
    fclose(file);
    sched_yield();
  }
}

int main(void) {
  int go[2], told[2];
  CHECK(pipe(go) == 0 && pipe(told) == 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    CHECK(write(told[1], "x", 1) == 1 && read(go[0], &byte, 1) == 1);
    _exit((int)word);
  }
  char byte;
  int status;
  CHECK(read(told[0], &byte, 1) == 1);
  AwaitReader(child);
  long seen = 0;
  const struct iovec mine = {&seen, sizeof(seen)};
  const struct iovec theirs = {(void*)&word, sizeof(word)};
  CHECK(process_vm_readv(child, &mine, 1, &theirs, 1, 0) == sizeof(seen) && seen == 1);
  seen = 2;
  CHECK(process_vm_writev(child, &mine, 1, &theirs, 1, 0) == sizeof(seen));
  CHECK(ptrace(PTRACE_ATTACH, child, NULL, NULL) == 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status));
  CHECK(WSTOPSIG(status) == SIGSTOP);
  CHECK(ptrace(PTRACE_PEEKDATA, child, (void*)&word, NULL) == 2);
  CHECK(ptrace(PTRACE_POKEDATA, child, (void*)&word, (void*)3) == 0);
  struct user_regs_struct regs;
  CHECK(ptrace(PTRACE_GETREGS, child, NULL, &regs) == 0 && regs.cs == 0x33);
  CHECK(ptrace(PTRACE_SETREGS, child, NULL, &regs) == 0);
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/mem", child);
  const int memory = open(path, O_RDWR);
  seen = 0;
  CHECK(memory >= 0 && pread(memory, &seen, sizeof(seen), (off_t)(uintptr_t)&word) == sizeof(seen) && seen == 3);
  seen = 44;
  CHECK(pwrite(memory, &seen, sizeof(seen), (off_t)(uintptr_t)&word) == sizeof(seen));
  CHECK(ptrace(PTRACE_DETACH, child, NULL, NULL) == 0);
  CHECK(write(go[1], "x", 1) == 1);
  CHECK(ExitOf(child) == 44);
  return Pass();
}
