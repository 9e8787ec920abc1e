// What a handler of a fault is told beyond siginfo: trap number, error code and cr2, as the CPU gave them; and traps
// (int3, single step) with their own codes.
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

static volatile int seen_signal, seen_code;
static volatile long seen_trap, seen_error, seen_cr2;
static volatile uintptr_t seen_address;
static volatile unsigned long resume_at;
static volatile int steps;

static void OnFault(int signal, siginfo_t* info, void* context) {
  greg_t* regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  seen_signal = signal;
  seen_code = info->si_code;
  seen_address = (uintptr_t)info->si_addr;
  seen_trap = regs[REG_TRAPNO];
  seen_error = regs[REG_ERR];
  seen_cr2 = regs[REG_CR2];
  regs[REG_RIP] = (greg_t)resume_at;
}

static void OnStep(int signal, siginfo_t* info, void* context) {
  (void)signal;
  CHECK(info->si_code == TRAP_TRACE || info->si_code == TRAP_BRKPT || info->si_code == SI_KERNEL);
  CHECK(((ucontext_t*)context)->uc_mcontext.gregs[REG_TRAPNO] == (info->si_code == SI_KERNEL ? 3 : 1));
  ++steps;
}

#define FAULT(code)                                                     \
  __asm__ volatile("lea 1f(%%rip), %%rax\n mov %%rax, %0\n" code "\n1:" \
                   : "=m"(resume_at)                                    \
                   : "b"(at)                                            \
                   : "rax", "rdx", "memory")

static void Expect(int signal, int code, long trap, long error, uintptr_t address, long cr2) {
  CHECK(seen_signal == signal && seen_code == code && seen_trap == trap && seen_error == error);
  CHECK(seen_address == address && (cr2 < 0 || seen_cr2 == cr2));
}

int main(void) {
  struct sigaction action = {.sa_sigaction = OnFault, .sa_flags = SA_SIGINFO};
  for (const int* signal = (const int[]){SIGSEGV, SIGBUS, SIGFPE, SIGILL, 0}; *signal != 0; ++signal) {
    CHECK(sigaction(*signal, &action, NULL) == 0);
  }
  char* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* at = page;
  CHECK(*(volatile char*)page == 0);
  FAULT("movb $1, (%%rbx)");
  Expect(SIGSEGV, SEGV_ACCERR, 14, 7, (uintptr_t)page, (long)page);
  at = (char*)64;
  FAULT("movb (%%rbx), %%dl");
  Expect(SIGSEGV, SEGV_MAPERR, 14, 4, 64, 64);
  at = page;
  FAULT("jmp *%%rbx");
  Expect(SIGSEGV, SEGV_ACCERR, 14, 0x15, (uintptr_t)page, (long)page);
  at = (char*)0x8000000000000000;
  FAULT("movb (%%rbx), %%dl");
  Expect(SIGSEGV, SI_KERNEL, 13, 0, 0, -1);
  FAULT("xor %%eax, %%eax\n xor %%edx, %%edx\n div %%eax");
  CHECK(seen_signal == SIGFPE && seen_code == FPE_INTDIV && seen_trap == 0 && seen_error == 0);
  FAULT("ud2");
  CHECK(seen_signal == SIGILL && seen_code == ILL_ILLOPN && seen_trap == 6);
  const int file = open("short", O_RDWR | O_CREAT, 0600);
  CHECK(file >= 0 && ftruncate(file, 4096) == 0);
  at = mmap(NULL, 8192, PROT_READ, MAP_SHARED, file, 0);
  at += 4096;
  FAULT("movb (%%rbx), %%dl");
  Expect(SIGBUS, BUS_ADRERR, 14, 4, (uintptr_t)at, (long)at);

  action.sa_sigaction = OnStep;
  CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
  __asm__ volatile("int3");
  CHECK(steps == 1);
  // Through a system call, whose number is no valid one: a step on either side.
  long result = 1000;
  __asm__ volatile(
      "sub $256, %%rsp\n pushfq\n orl $0x100, (%%rsp)\n popfq\n nop\n syscall\n nop\n pushfq\n andl $~0x100, (%%rsp)\n"
      " popfq\n add $256, %%rsp"
      : "+a"(result)
      :
      : "rcx", "r11", "memory", "cc");
  CHECK(result == -ENOSYS);
  CHECK(steps > 4);
  return Pass();
}
