// Where no frame can be written the program dies of SIGSEGV, or its handler for that is told; sizes of alternate
// stacks.
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

static void Nothing(int signal) { (void)signal; }
static void Nest(int signal) { raise(signal); }

static void OnSegv(int signal, siginfo_t* info, void* context) {
  (void)context;
  _exit(signal == SIGSEGV && info->si_code == SI_KERNEL ? 42 : 43);
}

static char altstack[64 * 1024];

enum Trouble { kNoRoom, kUnmapped, kReadOnly, kBadStackPointer, kBadHandler, kHandled, kSegvHandled, kBlockedFault };

static void RaiseOn(uint64_t stack) {
  const long pid = getpid();
  register long nr __asm__("rax") = SYS_tgkill;
  __asm__ volatile("mov %%rsp, %%rbx\n mov %1, %%rsp\n syscall\n mov %%rbx, %%rsp"
                   : "+r"(nr)
                   : "r"(stack), "D"(pid), "S"(pid), "d"((long)SIGUSR1)
                   : "rbx", "rcx", "r11", "memory");
}

static int Run(enum Trouble trouble) {
  const pid_t child = fork();
  if (child != 0) return ExitOf(child);
  struct sigaction action = {.sa_handler = Nothing};
  stack_t stack = {.ss_sp = altstack, .ss_size = sizeof(altstack)};
  char* const pages = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  sigset_t all;
  switch (trouble) {
    case kNoRoom:
      // Frame upon frame, until one does not fit.
      action.sa_handler = Nest;
      action.sa_flags = SA_ONSTACK | SA_NODEFER;
      CHECK(sigaltstack(&stack, NULL) == 0);
      break;
    case kUnmapped:
      stack.ss_sp = pages;
      stack.ss_size = 65536;
      action.sa_flags = SA_ONSTACK;
      CHECK(sigaltstack(&stack, NULL) == 0 && munmap(pages, 65536) == 0);
      break;
    case kReadOnly:
      stack.ss_sp = pages;
      stack.ss_size = 65536;
      action.sa_flags = SA_ONSTACK;
      CHECK(sigaltstack(&stack, NULL) == 0);
      break;
    case kBadHandler:
      action.sa_handler = (void (*)(int))64;
      break;
    case kHandled:
    case kSegvHandled: {
      struct sigaction segv = {.sa_sigaction = OnSegv, .sa_flags = SA_SIGINFO | SA_ONSTACK};
      CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &segv, NULL) == 0);
      if (trouble == kHandled) action.sa_handler = (void (*)(int))64;
      break;
    }
    case kBlockedFault:
      sigfillset(&all);
      CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
      CHECK(signal(SIGSEGV, Nothing) != SIG_ERR);
      *(volatile char*)pages = 1;  // not writable
      break;
    case kBadStackPointer:
      break;
  }
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  if (trouble == kBadStackPointer || trouble == kSegvHandled) {
    RaiseOn(64);
  } else {
    CHECK(raise(SIGUSR1) == 0);
  }
  return _exit(7), 0;
}

int main(void) {
  const int died = 128 + SIGSEGV;
  CHECK(Run(kNoRoom) == died);
  CHECK(Run(kUnmapped) == died);
  CHECK(Run(kReadOnly) == died);
  CHECK(Run(kBadStackPointer) == died);
  CHECK(Run(kBadHandler) == died);
  CHECK(Run(kSegvHandled) == 42);
  CHECK(Run(kBlockedFault) == died);
  CHECK(Run(kHandled) == 43);

  stack_t stack = {.ss_sp = altstack, .ss_size = 2047};
  FAILS(syscall(SYS_sigaltstack, &stack, NULL), ENOMEM);
  stack.ss_flags = 4;
  FAILS(syscall(SYS_sigaltstack, &stack, NULL), EINVAL);
  FAILS(syscall(SYS_sigaltstack, (void*)8, NULL), EFAULT);
  FAILS(syscall(SYS_sigaltstack, NULL, (void*)8), EFAULT);
  stack.ss_flags = SS_DISABLE;
  CHECK(sigaltstack(&stack, NULL) == 0);
  return Pass();
}
