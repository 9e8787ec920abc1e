// A program that sums its own text finds the same sum after its sites have been used as before, in memory and by
// /proc/self/mem.
#include "tests/guests/guest.h"

extern const char __executable_start[], __etext[];

static uint64_t Sum(const unsigned char* at, size_t size) {
  uint64_t sum = 1469598103934665603u;
  for (size_t i = 0; i < size; ++i) sum = (sum ^ at[i]) * 1099511628211u;
  return sum;
}

static uint64_t SumByFile(const char* start, size_t size) {
  unsigned char* copy = malloc(size);
  const int fd = open("/proc/self/mem", O_RDONLY);
  CHECK(copy != NULL && fd >= 0 && pread(fd, copy, size, (off_t)(uintptr_t)start) == (ssize_t)size);
  close(fd);
  const uint64_t sum = Sum(copy, size);
  free(copy);
  return sum;
}

// A site of this program's own, whichever libc it has.
static long Own(void) {
  long result = SYS_getuid;
  __asm__ volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
  return result;
}

int main(void) {
  const char* start = (const char*)((uintptr_t)Own & ~(uintptr_t)4095);
  const size_t size = (size_t)(__etext - start);
  const uint64_t before = Sum((const unsigned char*)start, size);
  for (int i = 0; i < 5000; ++i) CHECK(Own() == (long)ExpectedUid());
  CHECK(Sum((const unsigned char*)start, size) == before);
  CHECK(SumByFile(start, size) == before);
  return Pass();
}
