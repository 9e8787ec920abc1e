// Other code comes to lie where sites were used often: unmapped and mapped anew, mapped over, moved there. Each time
// the code that lies there is the code that runs.
#include <sys/mman.h>

#include "tests/guests/guest.h"

enum { kPage = 4096, kUses = 300 };
typedef long (*Code)(void);

// mov $getppid,%eax; syscall; mov %rax,%r8 / mov %rax,%r9 / ..; lea N(%rax),%rax; ret
static const unsigned char kFirst[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0x48, 0x83, 0xc0, 0x01, 0xc3};
static const unsigned char kSecond[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0x48, 0x83, 0xc0, 0x02, 0xc3};
// The same place holds no call: mov $7,%eax; nop; nop; lea 3(%rax),%rax; ret
static const unsigned char kNoCall[] = {0xb8, 7, 0, 0, 0, 0x90, 0x90, 0x48, 0x8d, 0x40, 0x03, 0xc3};

static int FileOf(const unsigned char* code, size_t size) {
  char name[] = "site_XXXXXX";
  const int fd = mkstemp(name);
  CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, kPage) == 0);
  CHECK(pwrite(fd, code, size, 64) == (ssize_t)size);
  return fd;
}

static char* Map(void* at, int fd) {
  void* const mapped = mmap(at, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | (at != NULL ? MAP_FIXED : 0), fd, 0);
  CHECK(mapped != MAP_FAILED);
  return mapped;
}

static void Use(const char* page, long result) {
  const Code code = (Code)(uintptr_t)(page + 64);
  for (int i = 0; i < kUses; ++i) CHECK(code() == result);
}

int main(void) {
  const long parent = getppid();
  const int first = FileOf(kFirst, sizeof(kFirst));
  const int second = FileOf(kSecond, sizeof(kSecond));
  const int no_call = FileOf(kNoCall, sizeof(kNoCall));
  char* const page = Map(NULL, first);
  for (int round = 0; round < 3; ++round) {
    Use(page, parent + 1);
    CHECK(munmap(page, kPage) == 0);
    Map(page, second);
    Use(page, parent + 2);
    Map(page, no_call);
    Use(page, 10);
    char* const other = Map(NULL, second);
    Use(other, parent + 2);
    CHECK(mremap(other, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, page) == page);
    Use(page, parent + 2);
    // The file's own bytes are back.
    CHECK(madvise(page, kPage, MADV_DONTNEED) == 0);
    Use(page, parent + 2);
    Map(page, first);
  }
  return Pass();
}
