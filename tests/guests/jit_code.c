// Code that is made at run time: written, run, rewritten in the same place, moved, unmapped and mapped again. Each call
// is the one whose bytes lie there now.
#include <sys/mman.h>

#include "tests/guests/guest.h"

enum { kPage = 4096 };
typedef long (*Code)(void);

// mov $nr, %eax; syscall; add $add, %rax; ret, behind `gap` no-ops. The syscall's place depends on the gap alone.
static void Write(unsigned char* at, int gap, int nr, int add) {
  memset(at, 0x90, (size_t)gap);
  at += gap;
  *at++ = 0xb8;
  memcpy(at, &nr, 4);
  at += 4;
  *at++ = 0x0f, *at++ = 0x05;
  *at++ = 0x48, *at++ = 0x05;
  memcpy(at, &add, 4);
  at += 4;
  *at = 0xc3;
}

static void Run(unsigned char* page) { CHECK(((Code)page)() >= 0); }

int main(void) {
  unsigned char* page = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  const long pid = getpid();
  const long uid = ExpectedUid();
  // Written, then executed (W^X), many times over; other code behind the same site, then the site elsewhere.
  for (int i = 0; i < 200; ++i) {
    CHECK(mprotect(page, kPage, PROT_READ | PROT_WRITE) == 0);
    Write(page, i % 3, i % 2 ? SYS_getuid : SYS_getpid, i);
    CHECK(mprotect(page, kPage, PROT_READ | PROT_EXEC) == 0);
    CHECK(((Code)page)() == (i % 2 ? uid : pid) + i);
  }
  // The site's place now holds other instructions: mov $7, %eax; ret at every offset that was a site.
  CHECK(mprotect(page, kPage, PROT_READ | PROT_WRITE) == 0);
  memset(page, 0x90, kPage);
  memcpy(page + 8, "\xb8\x07\0\0\0\xc3", 6);
  CHECK(mprotect(page, kPage, PROT_READ | PROT_EXEC) == 0);
  CHECK(((Code)page)() == 7);
  // Moved: the same bytes at another address; what takes the old place is called as itself.
  CHECK(mprotect(page, kPage, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
  Write(page, 0, SYS_getpid, 1);
  CHECK(((Code)page)() == pid + 1);
  unsigned char* other = mmap(NULL, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mremap(page, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, other) == other);
  CHECK(((Code)other)() == pid + 1);
  CHECK(mmap(page, kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
             0) == page);
  Write(page, 0, SYS_getuid, 2);
  CHECK(((Code)page)() == uid + 2 && ((Code)other)() == pid + 1);
  // Ten thousand sites: more than any table of sites holds.
  CHECK(munmap(page, kPage) == 0);
  enum { kSites = 10000, kSize = 32 };
  unsigned char* many =
      mmap(NULL, kSites * kSize, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(many != MAP_FAILED);
  for (int i = 0; i < kSites; ++i) {
    Write(many + i * kSize, 0, i % 2 ? SYS_getuid : SYS_getpid, i);
    CHECK(((Code)(many + i * kSize))() == (i % 2 ? uid : pid) + i);
  }
  Run(other);
  return Pass();
}
