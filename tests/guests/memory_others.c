// Whatever a program does to mappings that are not its own, it gets an answer and goes on. Natively these are the
// vDSO's and the kernel's; in a session there are more, and calls on all of them work as before afterwards.
#include <sys/mman.h>

#include "tests/guests/guest.h"

enum { kMax = 256 };
typedef struct {
  uintptr_t start, end;
  int strange;  // not of this program, its libraries, its heap or its stack
} Mapping;

static int Read(Mapping* mappings) {
  FILE* file = fopen("/proc/self/maps", "r");
  char line[4096];
  int count = 0;
  CHECK(file != NULL);
  while (count < kMax && fgets(line, sizeof(line), file) != NULL) {
    unsigned long start, end;
    CHECK(sscanf(line, "%lx-%lx", &start, &end) == 2);
    const int strange = strstr(line, "/guise-shim") != NULL || strstr(line, "/memfd:guise-") != NULL;
    mappings[count++] = (Mapping){start, end, strange};
  }
  fclose(file);
  return count;
}

static void StillWorks(void) {
  struct stat status;
  CheckInside();
  CHECK(stat("/", &status) == 0 && stat("/no such file", &status) == -1 && errno == ENOENT);
  const pid_t child = fork();
  if (child == 0) _exit(RawUid() == ExpectedUid() ? 2 : 3);
  CHECK(ExitOf(child) == 2);
}

int main(void) {
  static Mapping mappings[kMax];
  StillWorks();
  const int count = Read(mappings);
  void* spare = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(spare != MAP_FAILED);
  for (int i = 0; i < count; ++i) {
    if (!mappings[i].strange) continue;
    void* const at = (void*)mappings[i].start;
    const size_t size = mappings[i].end - mappings[i].start;
    FAILS(munmap(at, size), EPERM);
    FAILS(munmap(at, 4096), EPERM);
    FAILS(mprotect(at, size, PROT_NONE), EPERM);
    FAILS(syscall(SYS_pkey_mprotect, at, size, PROT_NONE, -1), EPERM);
    FAILS(madvise(at, size, MADV_DONTNEED), EPERM);
    FAILS(madvise(at, size, MADV_WIPEONFORK), EPERM);
    FAILS(madvise(at, size, MADV_DONTFORK), EPERM);
    FAILS(syscall(SYS_mremap, at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, spare), EPERM);
    FAILS(syscall(SYS_mremap, at, size, 4096, 0, 0), EPERM);
    FAILS(syscall(SYS_mremap, spare, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at), EPERM);
    FAILS(mmap(at, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EPERM);
    FAILS(mmap(at, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    // A hint is a hint.
    void* const elsewhere = mmap(at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(elsewhere != MAP_FAILED && elsewhere != at && munmap(elsewhere, 4096) == 0);
    StillWorks();
  }
  // The program's own memory is its own.
  CHECK(mprotect(spare, 1 << 20, PROT_READ) == 0 && madvise(spare, 1 << 20, MADV_DONTNEED) == 0);
  CHECK(munmap(spare, 1 << 20) == 0);
  StillWorks();
  return Pass();
}
