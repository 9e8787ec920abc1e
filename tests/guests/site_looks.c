// What the shim looks at, at sites that are used often: fds and paths in each place, paths that cannot be read, faults
// that are blocked, old calls and the calls that stand for them. Registers and flags stay as they are.
#include <sys/mman.h>

#include "tests/guests/guest.h"

// All that a call may not change, and rax.
struct Registers {
  uint64_t rax, rdi, rsi, rdx, r10, r8, r9, rbx, rbp, r12, r13, r14, r15, flags;
};

// Sites: each is reached by its address alone, so that none is shared.
#define SITE(name)          \
  extern const char name[]; \
  __asm__(".text\n.p2align 4\n" #name ": syscall\n mov %rcx, %r11\n ret\n")
SITE(open_site);
SITE(openat_site);
SITE(access_site);
SITE(stat_site);
SITE(rename_site);
SITE(readlink_site);
SITE(dup2_site);
SITE(dup3_site);
SITE(sendfile_site);
SITE(fcntl_site);
SITE(getpgrp_site);

void make_call(const char* site, struct Registers* registers);
__asm__(
    ".text\n"
    "make_call:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi\n"
    "  mov %rsi, %rax; mov %rdi, %rcx\n"
    "  mov 8(%rax), %rdi; mov 16(%rax), %rsi; mov 24(%rax), %rdx; mov 32(%rax), %r10; mov 40(%rax), %r8\n"
    "  mov 48(%rax), %r9; mov 56(%rax), %rbx; mov 64(%rax), %rbp; mov 72(%rax), %r12; mov 80(%rax), %r13\n"
    "  mov 88(%rax), %r14; mov 96(%rax), %r15\n"
    "  pushq 104(%rax)\n"
    "  mov (%rax), %rax\n"
    "  popf\n"
    "  call *%rcx\n"
    "  pushf; cld; andl $~0x40000, (%rsp)\n"
    "  pop %r11; pop %rcx\n"
    "  mov %rax, (%rcx)\n"
    "  mov %rdi, 8(%rcx); mov %rsi, 16(%rcx); mov %rdx, 24(%rcx); mov %r10, 32(%rcx); mov %r8, 40(%rcx)\n"
    "  mov %r9, 48(%rcx); mov %rbx, 56(%rcx); mov %rbp, 64(%rcx); mov %r12, 72(%rcx); mov %r13, 80(%rcx)\n"
    "  mov %r14, 88(%rcx); mov %r15, 96(%rcx); mov %r11, 104(%rcx)\n"
    "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n");

enum { kStatusFlags = 0x8d5, kDirection = 0x400 };

static long CallWith(const char* site, uint64_t flags, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  // Bits above the 32 that a number has are nothing to the kernel.
  struct Registers registers = {(uint64_t)nr | (uint64_t)1 << 40, a, b, c, d, 8, 9, 1, 2, 3, 4, 5, 6, flags | 2};
  struct Registers before = registers;
  make_call(site, &registers);
  before.rax = registers.rax;
  before.flags |= 0x200;  // as it is
  CHECK(memcmp(&before, &registers, sizeof(before)) == 0);
  return (long)registers.rax;
}

// With each flag, and none.
static long Call(const char* site, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  long result = CallWith(site, 0, nr, a, b, c, d);
  static const uint64_t kFlags[] = {
      0x800, 0x80, 0x40, 0x10, 0x4, 0x1, kDirection, kStatusFlags, kStatusFlags | kDirection};
  for (size_t i = 0; i < sizeof(kFlags) / sizeof(kFlags[0]) && result < 0; ++i) {
    CHECK(CallWith(site, kFlags[i], nr, a, b, c, d) == result);
  }
  return result;
}

static uint64_t Word(const void* pointer) { return (uint64_t)pointer; }

// "/" at the end of a page that none follows.
static const char* AtTheEnd(void) {
  char* const pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED && munmap(pages + 4096, 4096) == 0);
  memcpy(pages + 4094, "/", 2);
  return pages + 4094;
}

static void Paths(const char* program) {
  const char* const root = AtTheEnd();
  struct stat status;
  char link[4096] = "";
  enum { kNowhere = 8 };
  const uint64_t here = (uint64_t)AT_FDCWD;
  const uint64_t there = Word(&status);
  for (int i = 0; i < 30; ++i) {
    CHECK(Call(access_site, SYS_access, Word(root), R_OK, 0, 0) == 0);
    CHECK(Call(access_site, SYS_access, Word("/"), R_OK, 0, 0) == 0);
    CHECK(Call(access_site, SYS_access, kNowhere, R_OK, 0, 0) == -EFAULT);
    CHECK(Call(access_site, SYS_access, (uint64_t)1 << 63, R_OK, 0, 0) == -EFAULT);
    CHECK(Call(access_site, SYS_access, Word("/nowhere"), R_OK, 0, 0) == -ENOENT);
    CHECK(Call(access_site, SYS_access, Word("/dev/fd/224"), R_OK, 0, 0) == -ENOENT);
    CHECK(Call(stat_site, SYS_stat, Word(root), there, 0, 0) == 0 && S_ISDIR(status.st_mode));
    CHECK(Call(stat_site, SYS_stat, kNowhere, there, 0, 0) == -EFAULT);
    CHECK(Call(stat_site, SYS_stat, Word("/proc/self/fd/225"), there, 0, 0) == -ENOENT);
    // Not the site's number.
    CHECK(Call(access_site, SYS_stat, kNowhere, there, 0, 0) == -EFAULT);
    CHECK(Call(access_site, SYS_stat, Word("/dev/fd/224"), there, 0, 0) == -ENOENT);
    CHECK(Call(access_site, SYS_rename, Word("nothing"), kNowhere, 0, 0) == -EFAULT);
    CHECK(Call(openat_site, SYS_openat, here, Word("/nowhere"), O_RDONLY, 0) == -ENOENT);
    CHECK(Call(openat_site, SYS_openat, 226, Word("nowhere"), O_RDONLY, 0) == -EBADF);
    CHECK(Call(openat_site, SYS_openat, here, Word("/proc/self/fd/226"), O_RDONLY, 0) == -ENOENT);
    CHECK(Call(open_site, SYS_open, Word("/dev/fd/226"), O_RDONLY, 0, 0) == -ENOENT);
    const long opened = Call(open_site, SYS_open, Word(root), O_RDONLY | O_DIRECTORY, 0, 0);
    CHECK(opened >= 0 && close((int)opened) == 0);
    CHECK(Call(rename_site, SYS_rename, Word("nothing"), Word("/nowhere/else"), 0, 0) == -ENOENT);
    CHECK(Call(rename_site, SYS_rename, Word("nothing"), kNowhere, 0, 0) == -EFAULT);
    const long length = Call(readlink_site, SYS_readlink, Word("/proc/self/exe"), Word(link), sizeof(link), 0);
    CHECK(length == (long)strlen(program) && memcmp(link, program, (size_t)length) == 0);
    memset(link, 0, sizeof(link));
    CHECK(CallWith(readlink_site, kDirection, SYS_readlink, Word("/proc/self/exe"), Word(link), sizeof(link), 0) ==
          length);
    CHECK(strcmp(link, program) == 0);
    CHECK(Call(readlink_site, SYS_readlink, Word("/"), Word(link), sizeof(link), 0) == -EINVAL);
  }
}

static void Fds(void) {
  const int fd = open("/dev/null", O_RDWR);
  const int other = dup(fd);
  CHECK(fd >= 0 && other >= 0);
  for (int i = 0; i < 30; ++i) {
    CHECK(Call(dup2_site, SYS_dup2, (uint64_t)fd, (uint64_t)other, 0, 0) == other);
    CHECK(Call(dup2_site, SYS_dup2, (uint64_t)fd, (uint64_t)fd | (uint64_t)1 << 32, 0, 0) == fd);
    CHECK(Call(dup2_site, SYS_dup2, 224, (uint64_t)other, 0, 0) == -EBADF);
    CHECK(Call(dup2_site, SYS_dup2, 225, 225, 0, 0) == -EBADF);
    CHECK(Call(dup3_site, SYS_dup3, (uint64_t)fd, (uint64_t)other, 0, 0) == other);
    CHECK(Call(dup3_site, SYS_dup3, (uint64_t)fd, (uint64_t)fd, 0, 0) == -EINVAL);
    CHECK(Call(dup3_site, SYS_dup3, 226, (uint64_t)other, 0, 0) == -EBADF);
    CHECK(Call(sendfile_site, SYS_sendfile, (uint64_t)fd, 224, 0, 1) == -EBADF);
    CHECK(Call(sendfile_site, SYS_sendfile, 224, (uint64_t)fd, 0, 1) == -EBADF);
    CHECK(Call(fcntl_site, SYS_fcntl, 225, F_GETFD, 0, 0) == -EBADF);
    CHECK(Call(getpgrp_site, SYS_getpgrp, 0, 0, 0, 0) == getpgrp());
    CHECK(CallWith(fcntl_site, kDirection | kStatusFlags, SYS_fcntl, (uint64_t)fd, F_GETFD, 0, 0) == 0);
    CHECK(CallWith(dup2_site, kDirection, SYS_dup2, (uint64_t)fd, (uint64_t)other, 0, 0) == other);
  }
  // The program's from here on.
  for (uint64_t wanted = 224; wanted < 227; ++wanted) {
    CHECK(Call(dup2_site, SYS_dup2, (uint64_t)fd, wanted, 0, 0) == (long)wanted);
    CHECK(Call(dup3_site, SYS_dup3, wanted, (uint64_t)other, 0, 0) == other);
    CHECK(fcntl((int)wanted, F_GETFD) == 0 && fcntl(other, F_GETFD) == 0);
  }
}

int main(int argc, char** argv) {
  CHECK(argc == 1);
  (void)argc;
  Paths(argv[0]);
  sigset_t faults;
  sigemptyset(&faults);
  sigaddset(&faults, SIGSEGV);
  sigaddset(&faults, SIGBUS);
  CHECK(sigprocmask(SIG_BLOCK, &faults, NULL) == 0);
  Paths(argv[0]);
  CHECK(sigprocmask(SIG_UNBLOCK, &faults, NULL) == 0);
  Fds();
  return Pass();
}
