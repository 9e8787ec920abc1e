// Ranges that the kernel refuses before it comes to all that lies in them, whatever that is.
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/guests/guest.h"

enum { kPage = 4096 };
static const size_t kAlmostAll = (size_t)1 << 46;  // the shim's memory, too
static const size_t kTooMuch = (size_t)1 << 62;

static long Protect(void* at, size_t size, int protection) { return syscall(SYS_mprotect, at, size, protection); }

int main(void) {
  char* const pages = mmap(NULL, 3 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED && munmap(pages + kPage, kPage) == 0);

  FAILS(Protect(NULL, kAlmostAll, PROT_READ), ENOMEM);
  FAILS(syscall(SYS_pkey_mprotect, NULL, kTooMuch, PROT_READ, -1), ENOMEM);
  FAILS(syscall(SYS_pkey_mprotect, NULL, kTooMuch, PROT_READ, 15), EINVAL);
  FAILS(Protect(NULL, kAlmostAll, 0xface00), EINVAL);
  FAILS(Protect(pages + 1, kAlmostAll, PROT_READ), EINVAL);
  // What lies in front of the hole is changed.
  FAILS(Protect(pages, kAlmostAll, PROT_READ), ENOMEM);
  CHECK(*(volatile char*)pages == 0);

  FAILS(munmap(pages + 1, kAlmostAll), EINVAL);
  FAILS(munmap((void*)kPage, kTooMuch), EINVAL);
  FAILS(madvise((void*)1, kAlmostAll, MADV_DONTNEED), EINVAL);
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  FAILS(mmap((void*)1, kAlmostAll, PROT_READ, flags, -1, 0), EINVAL);
  FAILS(mmap((void*)(16 * kPage), kTooMuch, PROT_READ, flags, -1, 0), ENOMEM);
  FAILS(syscall(SYS_mremap, 1, kAlmostAll, kPage, 0, 0), EINVAL);
  FAILS(syscall(SYS_mremap, pages, kPage, kAlmostAll, MREMAP_FIXED | MREMAP_MAYMOVE, 1), EINVAL);
  FAILS(syscall(SYS_mremap, pages, kPage, kTooMuch, MREMAP_FIXED | MREMAP_MAYMOVE, 16 * kPage), EINVAL);
  CheckInside();
  return Pass();
}
