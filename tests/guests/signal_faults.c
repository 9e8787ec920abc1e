// SIGSEGV, SIGBUS, SIGFPE and SIGILL handlers learn where and why, and recover: by siglongjmp and by moving rip on.
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

static sigjmp_buf back;
static volatile int got_signal;
static volatile int got_code;
static void* volatile got_address;

static void Leave(int sig, siginfo_t* info, void* context) {
  (void)context;
  got_signal = sig;
  got_code = info->si_code;
  got_address = info->si_addr;
  CheckInside();
  siglongjmp(back, 1);
}

static void Skip(int sig, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  got_signal = sig;
  got_address = info->si_addr;
  uc->uc_mcontext.gregs[REG_RIP] += 2;  // the store below
  uc->uc_mcontext.gregs[REG_RDX] = 4242;
}

static void Install(void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  static const int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  for (int i = 0; i < 5; ++i) CHECK(sigaction(kSignals[i], &action, NULL) == 0);
}

#define FAULTS(statement, signal_number, code, address)         \
  do {                                                          \
    got_signal = 0;                                             \
    if (sigsetjmp(back, 1) == 0) {                              \
      statement;                                                \
      CHECK(0);                                                 \
    }                                                           \
    CHECK(got_signal == (signal_number) && got_code == (code)); \
    CHECK((address) == NULL || got_address == (address));       \
  } while (0)

int main(void) {
  Install(Leave);
  char* const page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const int fd = open("empty", O_CREAT | O_RDWR, 0600);
  char* const beyond = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  volatile char* volatile nothing = (volatile char*)8;
  volatile char* volatile nowhere = (volatile char*)0x8000000000000000;
  volatile int zero = 0;
  for (volatile int i = 0; i < 100; ++i) {
    FAULTS(*(volatile char*)(page + 5) = 1, SIGSEGV, SEGV_ACCERR, page + 5);
    FAULTS(*nothing = 1, SIGSEGV, SEGV_MAPERR, (void*)8);
    FAULTS(*nowhere = 1, SIGSEGV, SI_KERNEL, NULL);
    FAULTS((void)*(volatile char*)(beyond + 3), SIGBUS, BUS_ADRERR, beyond + 3);
    FAULTS(zero = 1000 / zero, SIGFPE, FPE_INTDIV, NULL);
    FAULTS(__asm__ volatile("ud2"), SIGILL, ILL_ILLOPN, NULL);
    FAULTS(__asm__ volatile("int3"), SIGTRAP, SI_KERNEL, NULL);
    FAULTS(((void (*)(void))page)(), SIGSEGV, SEGV_ACCERR, page);
  }
  Install(Skip);
  for (int i = 0; i < 100; ++i) {
    uint64_t rdx = 7;
    got_signal = 0;
    __asm__ volatile("movb %b0, (%1)" : "+d"(rdx) : "a"(page) : "memory");
    CHECK(got_signal == SIGSEGV && got_address == page && rdx == 4242);
    CheckInside();
  }
  return Pass();
}
