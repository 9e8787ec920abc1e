// A number that is no open fd maps nothing, and a mapping of no file takes any number.
#include <fcntl.h>
#include <sys/mman.h>

#include "tests/guests/guest.h"

enum { kFds = 1024, kPage = 4096 };

int main(void) {
  for (int fd = 0; fd < kFds; ++fd) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    for (int flags = MAP_SHARED; flags <= MAP_PRIVATE; ++flags) {
      FAILS(mmap(NULL, kPage, PROT_READ, flags, fd, 0) == MAP_FAILED ? -1 : 0, EBADF);
    }
    char* const page = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
    CHECK(page != MAP_FAILED);
    *page = 1;
    CHECK(munmap(page, kPage) == 0);
  }
  return Pass();
}
