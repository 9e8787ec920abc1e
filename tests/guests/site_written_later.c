// Text whose calls were used often while there was one thread becomes writable when there are more: it is as the
// program made it, and works; also where one of the two pages that a call lies on is lost.
#include <pthread.h>
#include <sys/mman.h>

#include "tests/guests/guest.h"

enum { kPage = 4096, kUses = 300, kWithin = 64, kAcross = kPage - 6 };
typedef long (*Code)(void);
// mov $getppid,%eax; syscall; cmp $-4096,%rax; ret
static const unsigned char kCode[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0xc3};

static void* Wait(void* pipe_end) {
  char byte;
  CHECK(read(*(const int*)pipe_end, &byte, 1) == 1);
  return NULL;
}

static void Use(const char* text) {
  const long parent = getppid();
  for (int i = 0; i < kUses; ++i) {
    CHECK(((Code)(uintptr_t)(text + kWithin))() == parent);
    CHECK(((Code)(uintptr_t)(text + kAcross))() == parent);
  }
}

int main(void) {
  char name[] = "code_XXXXXX";
  const int fd = mkstemp(name);
  CHECK(fd >= 0 && ftruncate(fd, 2 * kPage) == 0);
  CHECK(pwrite(fd, kCode, sizeof(kCode), kWithin) == (ssize_t)sizeof(kCode));
  CHECK(pwrite(fd, kCode, sizeof(kCode), kAcross) == (ssize_t)sizeof(kCode));
  char* texts[2];
  for (int i = 0; i < 2; ++i) {
    texts[i] = mmap(NULL, 2 * kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    CHECK(texts[i] != MAP_FAILED);
    Use(texts[i]);
  }
  int ends[2];
  pthread_t thread;
  CHECK(pipe(ends) == 0 && pthread_create(&thread, NULL, Wait, &ends[0]) == 0);
  CHECK(mprotect(texts[0], 2 * kPage, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
  CHECK(memcmp(texts[0] + kWithin, kCode, sizeof(kCode)) == 0 && memcmp(texts[0] + kAcross, kCode, sizeof(kCode)) == 0);
  Use(texts[0]);
  CHECK(madvise(texts[1] + kPage, kPage, MADV_DONTNEED) == 0);
  Use(texts[1]);
  CHECK(write(ends[1], "x", 1) == 1 && pthread_join(thread, NULL) == 0);
  return Pass();
}
