// A program changes its code around sites that it has used often: what it has written is what runs.
#include <sys/mman.h>

#include "tests/guests/guest.h"

enum { kPage = 4096, kUses = 300, kAt = 128 };
typedef long (*Code)(void);

// mov $getppid,%eax; syscall; add $N,%rax; ret
static const unsigned char kCode[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0x48, 0x83, 0xc0, 0x01, 0xc3};

static void Use(const char* page, long result) {
  const Code code = (Code)(uintptr_t)(page + kAt);
  for (int i = 0; i < kUses; ++i) CHECK(code() == result);
}

static void Protect(char* page, int protection) { CHECK(mprotect(page, kPage, protection) == 0); }

// Changes one byte at a time, with the page writable in turn with, without and besides being executable.
static void Change(char* page, long parent, int open, int closed) {
  Use(page, parent + 1);
  Protect(page, open);
  CHECK(memcmp(page + kAt, kCode, sizeof(kCode)) == 0);
  page[kAt + 10] = 5;
  Protect(page, closed);
  Use(page, parent + 5);
  Protect(page, open);
  page[kAt + 1] = SYS_getuid;
  Protect(page, closed);
  Use(page, (long)ExpectedUid() + 5);
  Protect(page, open);
  memcpy(page + kAt, "\xb8\x2a\x00\x00\x00\x90\x90\x90\x90\x90\x90\xc3", sizeof(kCode));
  Protect(page, closed);
  Use(page, 42);
  Protect(page, open);
  memcpy(page + kAt, kCode, sizeof(kCode));
  Protect(page, closed);
  Use(page, parent + 1);
}

int main(void) {
  const long parent = getppid();
  char name[] = "site_XXXXXX";
  const int fd = mkstemp(name);
  CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, kPage) == 0);
  CHECK(pwrite(fd, kCode, sizeof(kCode), kAt) == (ssize_t)sizeof(kCode));
  const int kinds[] = {MAP_PRIVATE, MAP_SHARED};
  for (size_t i = 0; i < 2; ++i) {
    char* const page = mmap(NULL, kPage, PROT_READ | PROT_EXEC, kinds[i], fd, 0);
    CHECK(page != MAP_FAILED);
    Change(page, parent, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC);
    Change(page, parent, PROT_READ | PROT_WRITE | PROT_EXEC, PROT_READ | PROT_EXEC);
    Change(page, parent, PROT_READ | PROT_WRITE | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC);
    CHECK(munmap(page, kPage) == 0);
  }
  return Pass();
}
