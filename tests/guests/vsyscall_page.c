// Calls to fixed addresses of the vsyscall page, as old programs make them, from compiled and from generated code.
//   VSYSCALL_PAGE  where it is (default: Linux's)
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include "tests/guests/guest.h"

typedef long (*GetTimeOfDay)(struct timeval*, struct timezone*);
typedef long (*Time)(time_t*);
typedef long (*GetCpu)(unsigned*, unsigned*, void*);

static uintptr_t page = 0xffffffffff600000;
static sigjmp_buf back;
static volatile int code;
static void* volatile address;

static void OnSegv(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  code = info->si_code;
  address = info->si_addr;
  siglongjmp(back, 1);
}

#define FAULTS(call)                            \
  do {                                          \
    code = -1;                                  \
    if (sigsetjmp(back, 1) == 0) {              \
      call;                                     \
      fprintf(stderr, "no fault: %s\n", #call); \
      _exit(1);                                 \
    }                                           \
  } while (0)

static int IsThere(void) {
  const pid_t child = fork();
  if (child == 0) _exit(((Time)(page + 0x400))(NULL) <= 0);
  const int exit_code = ExitOf(child);
  CHECK(exit_code == 0 || exit_code == 128 + SIGSEGV);
  return exit_code == 0;
}

static void Calls(void) {
  struct timeval now = {0, -1}, asked;
  struct timezone zone = {-1, -1}, asked_zone;
  time_t seconds = 0;
  unsigned cpu = ~0u, node = ~0u;
  CHECK(syscall(SYS_gettimeofday, &asked, &asked_zone) == 0);
  CHECK(((GetTimeOfDay)page)(&now, &zone) == 0 && now.tv_usec >= 0);
  CHECK(now.tv_sec >= asked.tv_sec && now.tv_sec <= asked.tv_sec + 60);
  CHECK(zone.tz_minuteswest == asked_zone.tz_minuteswest && zone.tz_dsttime == asked_zone.tz_dsttime);
  CHECK(((GetTimeOfDay)page)(NULL, NULL) == 0);
  const long told = ((Time)(page + 0x400))(&seconds);
  CHECK(told == seconds && told + 1 >= now.tv_sec && told <= now.tv_sec + 60);
  CHECK(((Time)(page + 0x400))(NULL) >= told);
  CHECK(((GetCpu)(page + 0x800))(&cpu, &node, NULL) == 0 && cpu < 4096 && node < 1024);
  CHECK(((GetCpu)(page + 0x800))(NULL, NULL, NULL) == 0);
}

// mov $address, %rax; call *%rax; ret, with the stack as the ABI wants it.
static void FromGeneratedCode(void) {
  unsigned char* const made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const uintptr_t target = page + 0x400;
  CHECK(made != MAP_FAILED);
  memcpy(made, "\x48\x83\xec\x08\x48\xb8", 6);  // sub $8, %rsp; mov $target, %rax
  memcpy(made + 6, &target, 8);
  memcpy(made + 14, "\xff\xd0\x48\x83\xc4\x08\xc3", 7);  // call *%rax; add $8, %rsp; ret
  CHECK(mprotect(made, 4096, PROT_READ | PROT_EXEC) == 0);
  time_t seconds = 0;
  CHECK(((Time)(uintptr_t)made)(&seconds) == seconds && seconds > 0);
}

// time(2) of the page leaves all registers but rax, flags and vector state as they are.
long keeps(uintptr_t target);
__asm__(
    "keeps:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; sub $8, %rsp\n"
    "  mov %rdi, %rax; xor %edi, %edi\n"
    "  mov $0x2222, %ebx; mov $0x3333, %ecx; mov $0x4444, %edx; mov $0x5555, %esi; mov $0x7777, %ebp\n"
    "  mov $0x8888, %r8d; mov $0x9999, %r9d; mov $0xaaaa, %r10d; mov $0xbbbb, %r11d\n"
    "  mov $0xcccc, %r12d; mov $0xdddd, %r13d; mov $0xeeee, %r14d; mov $0xffff, %r15d\n"
    "  movq %r15, %xmm0; movq %r14, %xmm15\n"
    "  stc\n"
    "  call *%rax\n"
    "  jnc 9f\n"
    "  cmp $0x2222, %rbx; jne 9f; cmp $0x3333, %rcx; jne 9f; cmp $0x4444, %rdx; jne 9f; cmp $0x5555, %rsi; jne 9f\n"
    "  cmp $0x7777, %rbp; jne 9f; cmp $0x8888, %r8; jne 9f; cmp $0x9999, %r9; jne 9f; cmp $0xaaaa, %r10; jne 9f\n"
    "  cmp $0xbbbb, %r11; jne 9f; cmp $0xcccc, %r12; jne 9f; cmp $0xdddd, %r13; jne 9f; cmp $0xeeee, %r14; jne 9f\n"
    "  cmp $0xffff, %r15; jne 9f\n"
    "  movq %xmm0, %rcx; cmp %r15, %rcx; jne 9f; movq %xmm15, %rcx; cmp %r14, %rcx; jne 9f\n"
    "  jmp 8f\n"
    "9:mov $-1, %rax\n"
    "8:add $8, %rsp; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n");

int main(void) {
  const char* const given = getenv("VSYSCALL_PAGE");
  if (given != NULL) page = strtoul(given, NULL, 0);
  if (!IsThere()) return Unsupported("a vsyscall page");

  Calls();
  FromGeneratedCode();
  for (int i = 0; i < 40; ++i) {
    CHECK(keeps(page + 0x400) > 0);
    CHECK(syscall(SYS_getppid) > 0);
  }
  static volatile int* volatile wild = (volatile int*)16;
  struct sigaction action = {.sa_sigaction = OnSegv, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  for (int i = 0; i < 3; ++i) {
    // A bad address is no errno here. ABI: arch/x86/entry/vsyscall/vsyscall_64.c.
    FAULTS(((Time)(page + 0x400))((time_t*)8));
    CHECK(code == SI_KERNEL && address == NULL);
    FAULTS(((Time)(page + 0x400))((time_t*)0xffff800000000000));
    CHECK(code == SEGV_MAPERR && address == (void*)0xffff800000000000);
    // Between the calls there is nothing.
    FAULTS(((Time)(page + 0x404))(NULL));
    FAULTS(((Time)(page + 0xc00))(NULL));
    // And the program's own faults are its own.
    FAULTS(*wild = 1);
    CHECK(address == (void*)16);
    Calls();
  }
  return Pass();
}
