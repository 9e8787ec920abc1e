// Sites with six gigabytes of reserved addresses around them: nothing can be mapped where they could reach it. Others
// lie below all that, far from the program.
#include <sys/mman.h>

#include "tests/guests/guest.h"

enum { kPage = 4096, kUses = 300 };
static const size_t kReserved = (size_t)6 << 30;
typedef long (*Code)(void);

// mov $getppid,%eax; syscall; add $N,%rax; ret
static const unsigned char kCode[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0x48, 0x83, 0xc0, 0x11, 0xc3};

static void Use(const char* page, long result) {
  for (int i = 0; i < kUses; ++i) CHECK(((Code)(uintptr_t)(page + 100))() == result);
}

static char* Map(void* at, int fd, int flags) {
  char* const page = mmap(at, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | flags, fd, 0);
  CHECK(page != MAP_FAILED);
  return page;
}

int main(void) {
  const long parent = getppid();
  char name[] = "site_XXXXXX";
  const int fd = mkstemp(name);
  CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, kPage) == 0);
  CHECK(pwrite(fd, kCode, sizeof(kCode), 100) == (ssize_t)sizeof(kCode));
  char* const reserved = mmap(NULL, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(reserved != MAP_FAILED);
  Use(Map(NULL, fd, 0), parent + 0x11);
  char* const middle = Map(reserved + kReserved / 2, fd, MAP_FIXED);
  Use(middle, parent + 0x11);
  Use(Map(reserved, fd, MAP_FIXED), parent + 0x11);
  Use(Map(reserved + kReserved - kPage, fd, MAP_FIXED), parent + 0x11);
  // The program's reservation is as it was.
  CHECK(mprotect(reserved + kPage, kReserved / 2 - kPage, PROT_NONE) == 0);
  CHECK(munmap(reserved, kReserved) == 0);
  Use(Map(middle, fd, MAP_FIXED), parent + 0x11);
  return Pass();
}
