// Frames of all signals show the thread's last fault: trap number, error code and cr2 stay until the next one, also in
// threads and processes that the thread makes. A bad pointer of a system call is no fault.
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

typedef struct {
  greg_t trap, error, cr2;
} Words;

static volatile Words shown;
static volatile greg_t resume_at;

static void OnSignal(int signal, siginfo_t* info, void* context) {
  greg_t* const regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  shown = (Words){regs[REG_TRAPNO], regs[REG_ERR], regs[REG_CR2]};
  if (signal != SIGUSR1 && info->si_code > 0) regs[REG_RIP] = resume_at;
}

static Words Shown(void) {
  CHECK(raise(SIGUSR1) == 0);
  return shown;
}

static void Expect(Words words) {
  const Words now = Shown();
  if (now.trap == words.trap && now.error == words.error && now.cr2 == words.cr2) return;
  fprintf(stderr, "trap %lld error %llx cr2 %llx instead of %lld, %llx, %llx\n", now.trap, now.error, now.cr2,
          words.trap, words.error, words.cr2);
  _exit(1);
}

#define FAULT(code)                                                     \
  __asm__ volatile("lea 1f(%%rip), %%rax\n mov %%rax, %0\n" code "\n1:" \
                   : "=m"(resume_at)                                    \
                   : "b"(at)                                            \
                   : "rax", "rdx", "memory")

// Pointers of all kinds of calls, often enough for their sites to be rewritten.
static void PassBadPointers(void) {
  for (int i = 0; i < 200; ++i) {
    FAILS(syscall(SYS_rt_sigaction, SIGUSR2, 72, NULL, 8), EFAULT);
    FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 72, NULL, 8), EFAULT);
    FAILS(syscall(SYS_sigaltstack, 72, NULL), EFAULT);
    FAILS(syscall(SYS_sigaltstack, 1UL << 63, NULL), EFAULT);
    FAILS(syscall(SYS_openat, AT_FDCWD, 72, O_RDONLY), EFAULT);
    FAILS(syscall(SYS_execve, 72, NULL, NULL), EFAULT);
  }
}

static void* Check(void* words) {
  Expect(*(Words*)words);
  PassBadPointers();
  Expect(*(Words*)words);
  return NULL;
}

static void CheckEverywhere(Words words) {
  Check(&words);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, Check, &words) == 0 && pthread_join(thread, NULL) == 0);
  const pid_t child = fork();
  if (child == 0) {
    Check(&words);
    _exit(0);
  }
  CHECK(ExitOf(child) == 0);
}

int main(void) {
  const struct sigaction action = {.sa_sigaction = OnSignal, .sa_flags = SA_SIGINFO};
  for (const int* signal = (const int[]){SIGUSR1, SIGSEGV, SIGFPE, SIGILL, 0}; *signal != 0; ++signal) {
    CHECK(sigaction(*signal, &action, NULL) == 0);
  }
  // What the process was born with.
  CheckEverywhere(Shown());
  char* at = (char*)64;
  FAULT("movb (%%rbx), %%dl");
  CheckEverywhere((Words){14, 4, 64});
  at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(*(volatile char*)at == 0);
  FAULT("movb $1, (%%rbx)");
  const Words write = {14, 7, (greg_t)at};
  CheckEverywhere(write);
  // Others leave cr2 alone.
  FAULT("ud2");
  CheckEverywhere((Words){6, 0, write.cr2});
  FAULT("xor %%edx, %%edx\n xor %%eax, %%eax\n div %%edx");
  CheckEverywhere((Words){0, 0, write.cr2});
  at = (char*)(1UL << 63);
  FAULT("movb (%%rbx), %%dl");
  CheckEverywhere((Words){13, 0, write.cr2});
  // The same as a call's bad pointer.
  at = (char*)72;
  FAULT("movb (%%rbx), %%dl");
  CheckEverywhere((Words){14, 4, 72});
  return Pass();
}
