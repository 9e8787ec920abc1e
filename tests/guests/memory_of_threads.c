// What is mapped while a program makes threads on stacks of its own is not its own, natively nothing, in a session the
// shim's: no page of it can be taken away, and all threads go on.
#include <pthread.h>
#include <sys/mman.h>

#include "tests/guests/guest.h"

enum { kThreads = 24, kStack = 256 << 10, kMax = 256, kPage = 4096 };
typedef struct {
  uintptr_t start, end;
} Mapping;

static Mapping g_before[kMax], g_after[kMax];
static pthread_barrier_t g_made, g_looked;

// Without malloc(), which may map memory for it.
static int Read(Mapping* mappings) {
  static char text[1 << 16];
  const int fd = open("/proc/self/maps", O_RDONLY);
  size_t size = 0;
  int count = 0;
  CHECK(fd >= 0);
  for (ssize_t got; (got = read(fd, text + size, sizeof(text) - 1 - size)) > 0;) size += (size_t)got;
  CHECK(close(fd) == 0 && size < sizeof(text) - 1);
  text[size] = '\0';
  for (char *line = text, *end; count < kMax && (end = strchr(line, '\n')) != NULL; line = end + 1) {
    unsigned long from, to;
    *end = '\0';
    CHECK(sscanf(line, "%lx-%lx", &from, &to) == 2);
    if (strstr(line, "[stack]") == NULL && strstr(line, "[heap]") == NULL) mappings[count++] = (Mapping){from, to};
  }
  return count;
}

static int Has(const Mapping* mappings, int count, uintptr_t page) {
  for (int i = 0; i < count; ++i) {
    if (mappings[i].start <= page && page < mappings[i].end) return 1;
  }
  return 0;
}

static void* Live(void* argument) {
  (void)argument;
  pthread_barrier_wait(&g_made);
  pthread_barrier_wait(&g_looked);
  CheckInside();
  return NULL;
}

int main(void) {
  pthread_t threads[kThreads];
  pthread_attr_t attributes;
  char* const stacks = mmap(NULL, kThreads * kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(stacks != MAP_FAILED && pthread_attr_init(&attributes) == 0);
  CHECK(pthread_barrier_init(&g_made, NULL, kThreads + 1) == 0);
  CHECK(pthread_barrier_init(&g_looked, NULL, kThreads + 1) == 0);
  const int before = Read(g_before);
  for (int i = 0; i < kThreads; ++i) {
    CHECK(pthread_attr_setstack(&attributes, stacks + (size_t)i * kStack, kStack) == 0);
    CHECK(pthread_create(&threads[i], &attributes, Live, NULL) == 0);
  }
  pthread_barrier_wait(&g_made);
  const int after = Read(g_after);
  for (int i = 0; i < after; ++i) {
    for (uintptr_t page = g_after[i].start; page < g_after[i].end; page += kPage) {
      if (!Has(g_before, before, page)) FAILS(munmap((void*)page, kPage), EPERM);
    }
  }
  pthread_barrier_wait(&g_looked);
  for (int i = 0; i < kThreads; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  CheckInside();
  return Pass();
}
