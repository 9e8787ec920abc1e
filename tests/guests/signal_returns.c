// Handlers return, hundreds of times and at any instruction, to a program that keeps each register, the flags, vector
// and x87 state; among them handlers of faults that another thread sends one by one, each of which comes.
#include <pthread.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

enum { kReturns = 400 };

// Loads the registers with a pattern, passes nops, and returns 0 if all is as it was.
long pass(void);
extern const char pass_begin[];
extern const char pass_end[];
__asm__(
    ".pushsection .rodata\n"
    ".p2align 4\n"
    "pass_vector: .quad 0x0123456789abcdef, 0xfedcba9876543210\n"
    "pass_mxcsr: .long 0x5f80\n"  // another rounding
    "pass_control: .word 0x0b7f\n"
    ".popsection\n"
    ".globl pass, pass_begin, pass_end\n"
    "pass:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "  sub $24, %rsp; stmxcsr 8(%rsp); fnstcw 12(%rsp)\n"
    "  ldmxcsr pass_mxcsr(%rip); fldcw pass_control(%rip)\n"
    "  movdqa pass_vector(%rip), %xmm0; movdqa pass_vector(%rip), %xmm15; fld1\n"
    "  mov $0x1111, %eax; mov $0x2222, %ebx; mov $0x3333, %ecx; mov $0x4444, %edx; mov $0x5555, %esi; mov $0x6666, "
    "%edi\n"
    "  mov $0x7777, %ebp; mov $0x8888, %r8d; mov $0x9999, %r9d; mov $0xaaaa, %r10d; mov $0xbbbb, %r11d\n"
    "  mov $0xcccc, %r12d; mov $0xdddd, %r13d; mov $0xeeee, %r14d; mov $0xffff, %r15d\n"
    "  movq $0x6161, -128(%rsp)\n"
    "  std; stc\n"
    "pass_begin:\n"
    "  .fill 4000, 1, 0x90\n"
    "pass_end:\n"
    "  jnc 9f\n"
    "  pushf; cld; testl $0x400, (%rsp); lea 8(%rsp), %rsp; jz 9f\n"
    "  cmp $0x1111, %rax; jne 9f; cmp $0x2222, %rbx; jne 9f; cmp $0x3333, %rcx; jne 9f; cmp $0x4444, %rdx; jne 9f\n"
    "  cmp $0x5555, %rsi; jne 9f; cmp $0x6666, %rdi; jne 9f; cmp $0x7777, %rbp; jne 9f; cmp $0x8888, %r8; jne 9f\n"
    "  cmp $0x9999, %r9; jne 9f; cmp $0xaaaa, %r10; jne 9f; cmp $0xbbbb, %r11; jne 9f; cmp $0xcccc, %r12; jne 9f\n"
    "  cmp $0xdddd, %r13; jne 9f; cmp $0xeeee, %r14; jne 9f; cmp $0xffff, %r15; jne 9f\n"
    "  cmpq $0x6161, -128(%rsp); jne 9f\n"
    "  pcmpeqb pass_vector(%rip), %xmm0; pmovmskb %xmm0, %eax; cmp $0xffff, %eax; jne 9f\n"
    "  pcmpeqb pass_vector(%rip), %xmm15; pmovmskb %xmm15, %eax; cmp $0xffff, %eax; jne 9f\n"
    "  stmxcsr (%rsp); mov (%rsp), %eax; and $0xffc0, %eax; cmp $0x5f80, %eax; jne 9f\n"
    "  fnstcw (%rsp); cmpw $0x0b7f, (%rsp); jne 9f\n"
    "  fld1; fcompp; fnstsw %ax; and $0x4500, %eax; cmp $0x4000, %eax; jne 9f\n"
    "  xor %eax, %eax; jmp 8f\n"
    "9:cld; mov $1, %eax\n"
    "8:fninit; ldmxcsr 8(%rsp); fldcw 12(%rsp); add $24, %rsp\n"
    "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n");

static volatile int g_arrived[NSIG];
static volatile int g_in_pass;
static volatile int g_done;

static void Handler(int signal, siginfo_t* info, void* context) {
  const uint64_t rip = (uint64_t)((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
  CHECK(info->si_code == SI_TKILL);
  // A handler begins with the state that a program begins with.
  uint32_t mxcsr = 0;
  uint16_t control = 0;
  __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(control));
  CHECK((mxcsr & 0xffc0) == 0x1f80 && control == 0x37f);
  if (rip >= (uint64_t)pass_begin && rip < (uint64_t)pass_end) ++g_in_pass;
  __asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm15, %%xmm15; fninit; fldz" ::: "xmm0", "xmm15", "st", "memory");
  __atomic_add_fetch(&g_arrived[signal], 1, __ATOMIC_SEQ_CST);
}

// Each signal has come before the next is sent.
static void* Send(void* receiver) {
  const int kSignals[] = {SIGUSR1, SIGSEGV, SIGBUS, SIGUSR2};
  const pid_t tid = *(pid_t*)receiver;
  for (int i = 0; g_in_pass < kReturns; ++i) {
    const int signal = kSignals[i % 4];
    const int before = __atomic_load_n(&g_arrived[signal], __ATOMIC_SEQ_CST);
    // With another one, so that they meet in the handlers.
    const int other = kSignals[(i + 1) % 4];
    CHECK(syscall(SYS_tgkill, getpid(), tid, other) == 0);
    CHECK(syscall(SYS_tgkill, getpid(), tid, signal) == 0);
    while (__atomic_load_n(&g_arrived[signal], __ATOMIC_SEQ_CST) == before) sched_yield();
  }
  __atomic_store_n(&g_done, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO};
  for (const int* signal = (const int[]){SIGUSR1, SIGUSR2, SIGSEGV, SIGBUS, 0}; *signal != 0; ++signal) {
    CHECK(sigaction(*signal, &action, NULL) == 0);
  }
  pid_t self = (pid_t)syscall(SYS_gettid);
  pthread_t sender;
  CHECK(pthread_create(&sender, NULL, Send, &self) == 0);
  while (!__atomic_load_n(&g_done, __ATOMIC_SEQ_CST)) CHECK(pass() == 0);
  CHECK(pthread_join(sender, NULL) == 0);
  return Pass();
}
