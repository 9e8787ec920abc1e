// A syscall changes rax, rcx and r11 and nothing else: general registers, flags, the red zone.
#include "tests/guests/guest.h"

struct Registers {
  uint64_t rdi, rsi, rdx, r10, r8, r9, rbx, rbp, r12, r13, r14, r15, flags, result;
};

extern void CallWithPattern(struct Registers* out, uint64_t nr, uint64_t flags, uint64_t rdi, uint64_t rsi);

// Fills every register with a pattern of its own and the red zone with another, makes the call, takes all down.
__asm__(
    ".text\n"
    ".globl CallWithPattern\n"
    "CallWithPattern:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
    "  mov %rsi, %rax\n"
    "  mov %rcx, %rdi\n"
    "  mov %r8, %rsi\n"
    "  push %rdx; popf\n"
    "  movabs $0x1111111111111111, %rdx\n"
    "  movabs $0x2222222222222222, %r10\n"
    "  movabs $0x3333333333333333, %r8\n"
    "  movabs $0x4444444444444444, %r9\n"
    "  movabs $0x5555555555555555, %rbx\n"
    "  movabs $0x6666666666666666, %rbp\n"
    "  movabs $0x7777777777777777, %r12\n"
    "  movabs $0x8888888888888888, %r13\n"
    "  movabs $0x9999999999999999, %r14\n"
    "  movabs $0xaaaaaaaaaaaaaaaa, %r15\n"
    "  mov %r15, -8(%rsp); mov %r14, -16(%rsp); mov %r13, -64(%rsp); mov %r12, -120(%rsp); mov %rbx, -128(%rsp)\n"
    "  syscall\n"
    "  mov (%rsp), %rcx\n"
    "  mov %rdi, 0(%rcx); mov %rsi, 8(%rcx); mov %rdx, 16(%rcx); mov %r10, 24(%rcx); mov %r8, 32(%rcx)\n"
    "  mov %r9, 40(%rcx); mov %rbx, 48(%rcx); mov %rbp, 56(%rcx); mov %r12, 64(%rcx); mov %r13, 72(%rcx)\n"
    "  mov %r14, 80(%rcx); mov %r15, 88(%rcx); mov %rax, 104(%rcx)\n"
    "  mov -8(%rsp), %r15; mov -16(%rsp), %r14; mov -64(%rsp), %r13; mov -120(%rsp), %r12; mov -128(%rsp), %rbx\n"
    "  lea -128(%rsp), %rsp\n"
    "  pushf; pop 96(%rcx)\n"
    "  cld\n"
    "  lea 128(%rsp), %rsp\n"
    "  cmp 48(%rcx), %rbx; jne 1f\n"
    "  cmp 64(%rcx), %r12; jne 1f\n"
    "  cmp 72(%rcx), %r13; jne 1f\n"
    "  cmp 80(%rcx), %r14; jne 1f\n"
    "  cmp 88(%rcx), %r15; je 2f\n"
    "1: movq $0, 48(%rcx)\n"
    "2: pop %rdi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n");

static const uint64_t kFlags[] = {0x202, 0x202 | 0x8d5, 0x202 | 0x400, 0x202 | 0x1, 0x202 | 0x40, 0x202 | 0x80};

static void Try(uint64_t nr, uint64_t rdi, uint64_t rsi, long result) {
  for (int round = 0; round < 20; ++round) {
    for (unsigned i = 0; i < sizeof(kFlags) / sizeof(kFlags[0]); ++i) {
      struct Registers r;
      CallWithPattern(&r, nr, kFlags[i], rdi, rsi);
      CHECK((long)r.result == result);
      CHECK(r.rdi == rdi && r.rsi == rsi);
      CHECK(r.rdx == 0x1111111111111111 && r.r10 == 0x2222222222222222);
      CHECK(r.r8 == 0x3333333333333333 && r.r9 == 0x4444444444444444);
      CHECK(r.rbp == 0x6666666666666666 && r.rbx == 0x5555555555555555);  // 0: the red zone was written to
      CHECK(r.r12 == 0x7777777777777777 && r.r13 == 0x8888888888888888);
      CHECK(r.r14 == 0x9999999999999999 && r.r15 == 0xaaaaaaaaaaaaaaaa);
      CHECK((r.flags & 0xcd5) == (kFlags[i] & 0xcd5));
    }
  }
}

int main(void) {
  struct stat status;
  Try(SYS_getpid, 1, 2, getpid());
  Try(SYS_getuid, 1, 2, ExpectedUid());
  Try(SYS_stat, (uint64_t) "/", (uint64_t)&status, 0);
  Try(SYS_stat, (uint64_t) "/no such file", (uint64_t)&status, -ENOENT);
  Try(SYS_stat, 1, (uint64_t)&status, -EFAULT);
  Try(1000000, 1, 2, -ENOSYS);
  return Pass();
}
