// A handler's frame may name another code segment: so programs enter 32-bit code and leave it. Handlers are 64-bit code
// whatever they interrupt.
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

enum { kCode64 = 0x33, kCode32 = 0x23 };

static unsigned char* low;
static greg_t back[NGREG];
static volatile int handler_segment, segment;
static volatile long offset, result;

static void Enter(int signal, siginfo_t* info, void* context) {
  greg_t* regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  (void)signal;
  (void)info;
  memcpy(back, regs, sizeof(back));
  regs[REG_CSGSFS] = (regs[REG_CSGSFS] & ~0xffffLL) | kCode32;
  regs[REG_RIP] = (greg_t)low;
  regs[REG_RSP] = (greg_t)low + 4096 - 64;
  regs[REG_RAX] = 41;
}

static void Leave(int signal, siginfo_t* info, void* context) {
  greg_t* regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  int mine;
  (void)signal;
  (void)info;
  __asm__("mov %%cs, %0" : "=r"(mine));
  handler_segment = mine;
  segment = (int)(regs[REG_CSGSFS] & 0xffff);
  offset = regs[REG_RIP] - (greg_t)low;
  result = regs[REG_RAX];
  memcpy(regs, back, sizeof(back));
}

static void Run(const char* code, size_t size, int signal) {
  static char stack[64 << 10];
  const stack_t mine = {.ss_sp = stack, .ss_size = sizeof(stack)};
  struct sigaction action = {.sa_sigaction = Enter, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  memcpy(low, code, size);
  CHECK(sigaltstack(&mine, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
  action.sa_sigaction = Leave;
  CHECK(sigaction(signal, &action, NULL) == 0 && raise(SIGUSR1) == 0);
  CHECK(handler_segment == kCode64 && segment == kCode32);
}

static void RunAll(void) {
  Run("\x40\x90\xcc", 3, SIGTRAP);  // inc %eax; nop; int3: in 64-bit code the first would be a prefix
  CHECK(offset == 3 && result == 42);
  Run("\x40\x0f\x0b", 3, SIGILL);  // inc %eax; ud2
  CHECK(offset == 1 && result == 42);
  Run("\x40\xa1\x40\0\0\0", 6, SIGSEGV);  // inc %eax; mov 64, %eax
  CHECK(offset == 1 && result == 42);
}

int main(void) {
  low = mmap((void*)0x20000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK(low == (void*)0x20000000);
  // Hypervisors that enter and leave user mode in a kernel's stead (PVM) know no 32-bit code.
  const pid_t child = fork();
  if (child == 0) {
    RunAll();
    _exit(0);
  }
  const int code = ExitOf(child);
  if (code == 128 + SIGSEGV) return Unsupported("32-bit code segments");
  CHECK(code == 0);
  for (int i = 0; i < 10; ++i) RunAll();
  return Pass();
}
