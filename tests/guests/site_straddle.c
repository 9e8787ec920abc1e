// Calls that lie on two cache lines, on two pages, or whose next instruction does, used often; and those of a file of
// which one of the two pages is lost, or changes.
#include <sys/mman.h>

#include "tests/guests/guest.h"

extern const char straddle_first[];

// Code of 4096 bytes each whose call begins `back` bytes before the next page.
__asm__(
    ".text\n"
    ".p2align 12\n"
    "straddle_first:\n"
    ".macro straddle back\n"
    "  .skip 4096 - 5 - \\back, 0x90\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  cmp $-4096, %rax\n"
    "  ret\n"
    "  .p2align 12, 0x90\n"
    ".endm\n"
    "straddle 1\nstraddle 2\nstraddle 3\nstraddle 4\nstraddle 5\nstraddle 6\nstraddle 7\nstraddle 8\nstraddle 9\n"
    ".macro line back\n"
    "  .skip 64 - 5 - \\back, 0x90\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  cmp $-4096, %rax\n"
    "  ret\n"
    "  .p2align 6, 0x90\n"
    ".endm\n"
    "straddle_lines:\n"
    "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\nline 9\n");
extern const char straddle_lines[];

static void Use(const char* code) {
  const long parent = getppid();
  for (int i = 0; i < 300; ++i) CHECK(((long (*)(void))(uintptr_t)code)() == parent);
}

enum { kPage = 4096 };
typedef long (*Code)(void);

// A file of three pages whose call begins `back` bytes before the second's end:
//   mov $getppid,%eax; syscall; cmp $-4096,%rax; ret
static int FileOf(int back) {
  static const unsigned char code[] = {0xb8, SYS_getppid, 0,    0,    0,    0x0f, 0x05,
                                       0x48, 0x3d,        0x00, 0xf0, 0xff, 0xff, 0xc3};
  char name[] = "code_XXXXXX";
  const int fd = mkstemp(name);
  CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, 3 * kPage) == 0);
  CHECK(pwrite(fd, code, sizeof(code), 2 * kPage - 5 - back) == (ssize_t)sizeof(code));
  return fd;
}

static char* Map(int fd) {
  char* const text = mmap(NULL, 3 * kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  CHECK(text != MAP_FAILED);
  return text;
}

// What is left of the text reads as the file does.
static void CheckPage(const char* text, int fd, int page) {
  char bytes[kPage];
  CHECK(pread(fd, bytes, kPage, page * kPage) == kPage && memcmp(text + page * kPage, bytes, kPage) == 0);
}

enum Change { kDiscard, kOpen, kMapAgain, kReplace, kUnmap, kChanges };

static void ChangeOne(int fd, int back, int page, enum Change change) {
  char* const text = Map(fd);
  const char* const code = text + 2 * kPage - 5 - back;
  char* const changed = text + page * kPage;
  Use(code);
  switch (change) {
    case kDiscard:
      CHECK(madvise(changed, kPage, MADV_DONTNEED) == 0);
      break;
    case kOpen:
      CHECK(mprotect(changed, kPage, PROT_READ | PROT_WRITE) == 0);
      CheckPage(text, fd, page);
      CHECK(mprotect(changed, kPage, PROT_READ | PROT_EXEC) == 0);
      break;
    case kMapAgain:
      CHECK(mmap(changed, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, page * kPage) == changed);
      break;
    case kReplace:
      CHECK(mmap(changed, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) == changed);
      CHECK(pread(fd, changed, kPage, page * kPage) == kPage && mprotect(changed, kPage, PROT_READ | PROT_EXEC) == 0);
      break;
    default:
      CHECK(munmap(changed, kPage) == 0);
      break;
  }
  // A call within one page is that page's alone.
  const int is_on_both = back < 2 + 6;
  if (is_on_both) CheckPage(text, fd, 3 - page);
  if (change != kUnmap) Use(code);
  CHECK(munmap(text, 3 * kPage) == 0);
}

int main(void) {
  for (int back = 1; back <= 9; ++back) {
    const int fd = FileOf(back);
    for (int change = 0; change < kChanges; ++change) {
      for (int page = 1; page <= 2; ++page) ChangeOne(fd, back, page, (enum Change)change);
    }
    CHECK(close(fd) == 0);
  }
  for (int back = 1; back <= 9; ++back) {
    Use(straddle_first + (size_t)(back - 1) * 8192 + 4096 - 5 - back);
    Use(straddle_lines + (back - 1) * 128 + 64 - 5 - back);
  }
  return Pass();
}
