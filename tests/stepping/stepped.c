// Makes one call again and again, between two marks (int3) for the tracer, and checks that a signal which came anywhere
// in it saw the guest and nothing else: stepping_test.cc.
//
//   stepped CALL MODE      CALL: see kCalls. MODE: plain, altstack, longjmp, kill; fault: the signal is SIGSEGV
//
// After the second mark the tracer leaves its command in r10.
#include <setjmp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <time.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

enum Told { kEnd = 0, kSignalled = 1, kQuiet = 2 };

// A call of up to three arguments, the size of a signal set being the fourth. twice: it returns in a child, too.
long stepped_call(long nr, long a, long b, long c, long twice);
extern const char stepped_begin[];
extern const char stepped_syscall[];
extern const char stepped_end[];
extern const char stepped_ret[];

extern const char __executable_start[];
extern const char etext[];

uint64_t g_told;
char g_warms;  // without marks
uint64_t g_rsp;

__asm__(
    ".globl stepped_call, stepped_begin, stepped_syscall, stepped_end, stepped_ret\n"
    "stepped_call:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "  mov %r8, %r15\n"
    "  mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %rdx\n"
    "  mov $8, %r10d; xor %r8d, %r8d; xor %r9d, %r9d\n"
    "  mov $0x1111, %ebx; mov $0x2222, %ebp; mov $0x3333, %r12d; mov $0x4444, %r13d; mov $0x5555, %r14d\n"
    "  mov %rsp, g_rsp(%rip)\n"
    "  movq $0x6666, -128(%rsp)\n"  // the far end of the red zone
    "  movq $0x7777, -8(%rsp)\n"
    "  cmpb $0, g_warms(%rip); jne stepped_begin\n"
    "  int3\n"
    "stepped_begin:\n"
    "  nop\n"
    "stepped_syscall:\n"
    "  syscall\n"
    "  test %r15, %r15; jz 1f\n"
    "  test %rax, %rax; jz 2f\n"
    "1: nop\n"
    "  cmpb $0, g_warms(%rip); jne 2f\n"
    "stepped_end:\n"
    "  int3\n"
    "stepped_ret:\n"
    "  mov %r10, g_told(%rip)\n"
    "2:cmpq $0x6666, -128(%rsp); jne 3f\n"
    "  cmpq $0x7777, -8(%rsp); jne 3f\n"
    "  cmp $0x1111, %rbx; jne 3f; cmp $0x2222, %rbp; jne 3f; cmp $0x3333, %r12; jne 3f\n"
    "  cmp $0x4444, %r13; jne 3f; cmp $0x5555, %r14; jne 3f\n"
    "  jmp 4f\n"
    "3:ud2\n"
    "4:pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n");

static char g_altstack[64 * 1024];
static sigjmp_buf g_out;
static volatile sig_atomic_t g_jumps;
static volatile sig_atomic_t g_handled;
static volatile sig_atomic_t g_own;
static pid_t g_tracer;

static int OnAltStack(const void* p) {
  return (const char*)p >= g_altstack && (const char*)p < g_altstack + sizeof(g_altstack);
}

static void Handler(int signal, siginfo_t* info, void* context) {
  const ucontext_t* uc = context;
  const greg_t* regs = uc->uc_mcontext.gregs;
  const uint64_t rip = (uint64_t)regs[REG_RIP];
  if (signal == SIGUSR2) {
    ++g_own;
    return;
  }
  CHECK(info->si_pid == g_tracer && info->si_code == SI_TKILL && info->si_uid == 0);
  ++g_handled;
  CHECK(!sigismember(&uc->uc_sigmask, SIGUSR1) && sigismember(&uc->uc_sigmask, SIGHUP));
  const int here = rip >= (uint64_t)stepped_begin && rip <= (uint64_t)stepped_end;
  // Else within the handler of a signal that the call has raised.
  if (here) {
    CHECK(!sigismember(&uc->uc_sigmask, SIGTERM));
    CHECK((uint64_t)regs[REG_RSP] == g_rsp);
    CHECK(regs[REG_RBX] == 0x1111 && regs[REG_RBP] == 0x2222 && regs[REG_R12] == 0x3333);
    CHECK(regs[REG_R13] == 0x4444 && regs[REG_R14] == 0x5555);
    CHECK(OnAltStack(&uc) == (uc->uc_stack.ss_sp == g_altstack));
    CHECK(uc->uc_stack.ss_flags != SS_ONSTACK);
  } else if (rip < (uint64_t)__executable_start || rip >= (uint64_t)etext) {
    fprintf(stderr, "the handler was shown rip %lx\n", rip);
    _exit(1);
  }
  if (g_jumps) siglongjmp(g_out, 1);
}

int main(int argc, char** argv) {
  CHECK(argc == 3);
  (void)argc;
  int ends[2];
  char byte = 'x';
  struct stat status;
  struct timespec time;
  sigset_t set;
  CHECK(pipe(ends) == 0);
  unlink("lent");
  const int lent = open("lent", O_CREAT | O_RDWR, 0);
  CHECK(lent >= 0 && close(lent) == 0);
  sigemptyset(&set);
  sigaddset(&set, SIGWINCH);
  const pid_t self = getpid();
  const struct Call {
    const char* name;
    long nr, a, b, c;
    long result;  // -1: any that is no error
  } kCalls[] = {
      {"getppid", SYS_getppid, 0, 0, 0, getppid()},
      {"geteuid", SYS_geteuid, 0, 0, 0, geteuid()},
      {"fstat", SYS_fstat, 0, (long)&status, 0, 0},
      {"write", SYS_write, open("/dev/null", O_WRONLY), (long)&byte, 1, 1},
      {"bad_write", SYS_write, ends[1], 8, 1, -EFAULT},
      {"mask", SYS_rt_sigprocmask, SIG_BLOCK, (long)&set, 0, 0},
      {"clock", SYS_clock_gettime, CLOCK_MONOTONIC, (long)&time, 0, 0},
      {"raise", SYS_tgkill, self, self, SIGUSR2, 0},
      {"fork", SYS_fork, 0, 0, 0, -1},
      {"unknown", 1000, 0, 0, 0, -ENOSYS},
      // Looked at in the stub, which may make another call, or ask what is refused.
      {"access", SYS_access, (long)"/", R_OK, 0, 0},
      {"bad_access", SYS_access, 8, R_OK, 0, -EFAULT},
      {"refused", SYS_access, (long)"lent", X_OK, 0, -EACCES},
      {"lent", SYS_access, (long)"lent", R_OK, 0, geteuid() == 0 ? 0 : -EACCES},
      {"dup2", SYS_dup2, ends[0], ends[1], 0, ends[1]},
      // An argument that is the number of restart_syscall(2).
      {"dup2_219", SYS_dup2, ends[0], 219, 0, 219},
      {"fcntl", SYS_fcntl, ends[0], F_GETFD, 0, 0},
      // The shim makes it with another path, in a gate.
      {"proc_exe", SYS_access, (long)"/proc/self/exe", R_OK, 0, 0},
  };
  const struct Call* call = NULL;
  for (size_t i = 0; i < sizeof(kCalls) / sizeof(kCalls[0]); ++i) {
    if (strcmp(kCalls[i].name, argv[1]) == 0) call = &kCalls[i];
  }
  CHECK(call != NULL);
  const int altstack = strcmp(argv[2], "altstack") == 0;
  const int kill_me = strcmp(argv[2], "kill") == 0;
  g_jumps = strcmp(argv[2], "longjmp") == 0;
  const stack_t stack = {.ss_sp = g_altstack, .ss_size = sizeof(g_altstack)};
  if (altstack) CHECK(sigaltstack(&stack, NULL) == 0);
  struct sigaction action = {.sa_sigaction = Handler,
                             .sa_flags = SA_SIGINFO | SA_RESTART | (altstack ? SA_ONSTACK : 0)};
  sigaddset(&action.sa_mask, SIGTERM);
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
  if (strcmp(argv[2], "fault") == 0) CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  sigset_t hup;
  sigemptyset(&hup);
  sigaddset(&hup, SIGHUP);
  CHECK(sigprocmask(SIG_SETMASK, &hup, NULL) == 0);

  prctl(PR_SET_PTRACER, -1);
  printf("pid %d\n", self);
  CHECK(fflush(stdout) == 0);
  CHECK(read(0, &g_tracer, sizeof(g_tracer)) == sizeof(g_tracer));

  // Sites that have been used are made differently from those that have not.
  for (int i = 0; i < 3; ++i) {
    g_warms = 1;
    const long result = stepped_call(call->nr, call->a, call->b, call->c, call->nr == SYS_fork);
    g_warms = 0;
    if (call->nr == SYS_fork && result == 0) _exit(0);
  }
  while (waitpid(-1, NULL, 0) > 0) {
  }
  CHECK(sigprocmask(SIG_SETMASK, &hup, NULL) == 0);

  for (g_told = kQuiet; g_told != kEnd;) {
    if (kill_me) {
      const pid_t child = fork();
      if (child != 0) {
        int wait_status = 0;
        CHECK(waitpid(child, &wait_status, 0) == child);
        CHECK(WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) == SIGKILL : wait_status == 0);
        if (WIFEXITED(wait_status)) break;
        continue;
      }
    }
    g_handled = 0;
    g_own = 0;
    long result = -1;
    const int jumped = g_jumps ? sigsetjmp(g_out, 1) : 0;
    if (jumped == 0) {
      result = stepped_call(call->nr, call->a, call->b, call->c, call->nr == SYS_fork);
      if (call->nr == SYS_fork && result == 0) _exit(0);
    } else {
      __asm__ volatile("int3\n mov %%r10, %0" : "=m"(g_told) : : "r10", "memory");
    }
    if (kill_me) _exit(0);
    CHECK(g_handled == (g_told == kSignalled));
    if (jumped == 0) {
      if (call->result == -1 ? result < 0 : result != call->result)
        fprintf(stderr, "%s gave %ld\n", call->name, result);
      CHECK(call->result == -1 ? result >= 0 : result == call->result);
      CHECK(g_own == (call->nr == SYS_tgkill));
    }
    if (call->nr == SYS_fork) {
      while (waitpid(-1, NULL, 0) > 0) {
      }
    }
    sigset_t now;
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
    CHECK(sigismember(&now, SIGHUP) && !sigismember(&now, SIGUSR1) && !sigismember(&now, SIGTERM));
    if (jumped == 0) CHECK(sigismember(&now, SIGWINCH) == (call->nr == SYS_rt_sigprocmask));
    CHECK(sigprocmask(SIG_SETMASK, &hup, NULL) == 0);
    stack_t shown;
    CHECK(sigaltstack(NULL, &shown) == 0);
    CHECK(altstack ? shown.ss_sp == g_altstack && shown.ss_flags == 0 : shown.ss_flags == SS_DISABLE);
  }
  return Pass();
}
