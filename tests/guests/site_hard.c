// Calls behind which no single instruction can make room for a jump: two short ones; one that names its own address;
// one that the shim's decoder does not know. Whatever their sites look like, each is called and comes back as natively,
// and a signal between any two instructions finds it at one of its own. A session that is told of them by the server
// rewrites them (tests/regress).
#include <asm/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "tests/guests/guest.h"
#include "tests/guests/stepped_code.h"

enum { kUses = 300 };

// Each makes getppid(2). An instruction in front of the call has room for a jump.
extern const char hard_address[], hard_address_end[];  // what follows names its own address
extern const char hard_return[], hard_return_end[];    // is short, and a return
extern const char hard_short[], hard_short_end[];      // are two short ones
// Something leads to the instruction behind the one that has room, and to the call itself.
extern const char hard_ahead[], hard_ahead_all[], hard_ahead_end[];
// The next may fault, and what is in front of that ends as a call does; or is in front of the call.
extern const char hard_fault[], hard_gs[];
extern const char hard_twice[];  // it moves for the call in front of it, too
extern const char hard_none[];   // none in front of it has room

const long hard_word = 1;

__asm__(
    ".text\n"
    ".p2align 4\n"
    "hard_address:\n"
    "  .cfi_startproc\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  mov hard_word(%rip), %rdx\n"
    "  lea -1(%rax,%rdx), %rax\n"
    "  ret\n"
    "hard_address_end:\n"
    "  .cfi_endproc\n"
    ".p2align 4\n"
    "hard_twice:\n"
    "  .cfi_startproc\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  test %eax, %eax\n"
    "  cltq\n"
    "  ret\n"
    "  .cfi_endproc\n"
    ".p2align 5\n"
    "hard_return:\n"
    "  .cfi_startproc\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  cltq\n"
    "  ret\n"
    "hard_return_end:\n"
    "  .cfi_endproc\n"
    ".p2align 4\n"
    "hard_short:\n"
    "  .cfi_startproc\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  mov %eax, %edx\n"
    "  neg %edx\n"
    "  mov %edx, %eax\n"
    "  neg %eax\n"
    "  ret\n"
    "hard_short_end:\n"
    "  .fill 160, 1, 0xcc\n"
    "  .cfi_endproc\n"
    ".p2align 4\n"
    "hard_none:\n"
    "  .cfi_startproc\n"
    "  mov $-7, %edx\n"
    "  test %edi, %edi\n"
    "  jnz 1f\n"
    "  push $110\n"
    "  .cfi_adjust_cfa_offset 8\n"
    "  pop %rax\n"
    "  .cfi_adjust_cfa_offset -8\n"
    "  syscall\n"
    "  mov %eax, %edx\n"
    "1:neg %edx\n"
    "  mov %edx, %eax\n"
    "  neg %eax\n"
    "  ret\n"
    "  .fill 160, 1, 0xcc\n"
    "  .cfi_endproc\n"
    ".p2align 4\n"
    "hard_ahead:\n"
    "  .cfi_startproc\n"
    "  mov $110, %edx\n"
    "  mov %edx, %eax\n"
    "  cmp $1, %edi\n"
    "  je 1f\n"
    "  ja 2f\n"
    "hard_ahead_all:\n"
    "  mov $110, %edx\n"
    "1:mov %edx, %eax\n"
    "2:syscall\n"
    "  test %eax, %eax\n"
    "  cltq\n"
    "  ret\n"
    "hard_ahead_end:\n"
    "  .fill 160, 1, 0xcc\n"
    "  .cfi_endproc\n"
    ".p2align 4\n"
    "hard_fault:\n"
    "  .cfi_startproc\n"
    "  mov $110, %eax\n"
    "  mov $0x050f0000, %edx\n"
    "  mov 0x1000(%rdi), %edx\n"
    "  syscall\n"
    "  test %eax, %eax\n"
    "  cltq\n"
    "  ret\n"
    "  .fill 160, 1, 0xcc\n"
    "  .cfi_endproc\n"
    ".p2align 4\n"
    "hard_gs:\n"
    "  .cfi_startproc\n"
    "  mov $110, %eax\n"
    "  mov $0x050f0000, %edx\n"
    "  syscall\n"
    "  test %eax, %eax\n"
    "  cltq\n"
    "  ret\n"
    "  .fill 160, 1, 0xcc\n"
    "  .cfi_endproc\n");

static long parent;
static volatile int traps, strange, ticks;
static const char *start, *end, *volatile stepped_to;
static volatile int faults;
static char good[0x2000];

static int done, calls;

static long CallAt(const char* code, uintptr_t argument) { return ((long (*)(uintptr_t))(uintptr_t)code)(argument); }

static void OnTrap(int signal, siginfo_t* info, void* context) {
  (void)signal;
  static const unsigned char kInstructions[][7] = {
      {0, 5, 7, 14, 19}, {0, 5, 7, 9}, {0, 5, 7, 9, 11, 13, 15}, {0, 5, 7, 9, 11, 13}};
  const char* const rip = (const char*)((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
  if (rip < start || rip >= end) return;
  ++traps;
  const int kind = start == hard_address ? 0 : start == hard_return ? 1 : start == hard_short ? 2 : 3;
  int known = 0;
  for (int i = 0; i < 7; ++i) known |= rip - start == kInstructions[kind][i];
  strange |= !known || rip <= stepped_to || info->si_addr != rip;
  stepped_to = rip;
}

static void OnFault(int signal, siginfo_t* info, void* context) {
  (void)signal;
  greg_t* const regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  CHECK((const char*)regs[REG_RIP] == hard_fault + 10 && info->si_addr == (void*)0x1000);
  regs[REG_RDI] = (greg_t)(uintptr_t)good;
  ++faults;
}

// Of a child: how it ends, as wait(2) says.
static int EndOf(void (*child)(void)) {
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    child();
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  return status;
}
static void IgnoreFault(void) {
  CHECK(signal(SIGSEGV, SIG_IGN) != SIG_ERR);
  CallAt(hard_fault, 0);
}
static void CallWithOwnGs(void) {
  CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x1000) == 0);
  CHECK(CallAt(hard_gs, 0) == getppid());
}
// Made writable, the text is as the program has it.
static void MakeWritable(void) {
  static const unsigned char kFront[] = {0xba, 110, 0, 0, 0, 0x89, 0xd0, 0x0f, 0x05};
  void* const page = (void*)((uintptr_t)hard_ahead_all & ~(uintptr_t)4095);
  CHECK(mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
  CHECK(memcmp(hard_ahead_all, kFront, sizeof(kFront)) == 0 && CallAt(hard_ahead, 0) == getppid());
}

static void* CallAhead(void* unused) {
  while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
    CHECK(CallAt(hard_ahead, 0) == parent);
    __atomic_store_n(&calls, calls + 1, __ATOMIC_RELEASE);
  }
  return unused;
}
static void AwaitCalls(int more) {
  const int wanted = __atomic_load_n(&calls, __ATOMIC_ACQUIRE) + more;
  while (__atomic_load_n(&calls, __ATOMIC_ACQUIRE) < wanted) sched_yield();
}

static void OnTick(int signal) {
  (void)signal;
  ++ticks;
}

static void Use(const char* first, const char* last) {
  start = first;
  end = last;
  for (int i = 0; i < kUses; ++i) CHECK(CallAt(start, 0) == parent);
  traps = 0;
  for (int i = 0; i < 3; ++i) {
    stepped_to = NULL;
    CHECK(Stepped(start) == parent);
  }
  CHECK(traps >= 3 * 3 && !strange);
}

int main(int argc, char** argv) {
  parent = getppid();
  const struct sigaction trap = {.sa_sigaction = OnTrap, .sa_flags = SA_SIGINFO};
  const struct sigaction tick = {.sa_handler = OnTick, .sa_flags = SA_RESTART};
  const struct sigaction fault = {.sa_sigaction = OnFault, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGTRAP, &trap, NULL) == 0 && sigaction(SIGALRM, &tick, NULL) == 0);
  CHECK(sigaction(SIGSEGV, &fault, NULL) == 0);
  Use(hard_address, hard_address_end);
  Use(hard_return, hard_return_end);
  Use(hard_short, hard_short_end);
  Use(hard_ahead_all, hard_ahead_end);
  if (argc > 1 && strcmp(argv[1], "counted") == 0) return Pass();  // always as many calls
  for (int i = 0; i < kUses; ++i) CHECK(CallAt(hard_fault, (uintptr_t)good) == parent && faults == 0);
  CHECK(CallAt(hard_fault, 0) == parent && faults == 1);
  const int ignored = EndOf(IgnoreFault);
  CHECK(WIFSIGNALED(ignored) && WTERMSIG(ignored) == SIGSEGV);
  for (int i = 0; i < kUses; ++i) CHECK(CallAt(hard_gs, 0) == parent);
  CHECK(EndOf(CallWithOwnGs) == 0);
  for (uintptr_t to = 1; to <= 2; ++to) {
    for (int i = 0; i < 20; ++i) CHECK(CallAt(hard_ahead, to) == parent);
  }
  // Signals wherever they come.
  const struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
  CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
  for (int i = 0; i < kUses || ticks < 20; ++i) {
    CHECK(CallAt(hard_address, 0) == parent && CallAt(hard_return, 0) == parent && CallAt(hard_short, 0) == parent);
    CHECK(CallAt(hard_ahead, 0) == parent);
    if (i >= kUses) continue;
    if (i < kUses / 8) CHECK(CallAt(hard_twice, 0) == parent);
    CHECK(CallAt(hard_none, 0) == parent && (int)CallAt(hard_none, 1) == -7);
  }
  CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
  CHECK(EndOf(MakeWritable) == 0);
  // Also while another thread makes the call.
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, CallAhead, NULL) == 0);
  AwaitCalls(kUses);
  MakeWritable();
  AwaitCalls(kUses);
  __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
  CHECK(pthread_join(thread, NULL) == 0);
  return Pass();
}
