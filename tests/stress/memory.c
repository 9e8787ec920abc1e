// Memory that is kept over several steps, and memory that is not.
#include <sys/mman.h>
#include <sys/uio.h>

#include "tests/stress/stress.h"

void OpenMemory(struct Stream* stream) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  stream->memory = mmap(NULL, kMemoryPages * kPage, PROT_READ | PROT_WRITE, flags, -1, 0);
  CHECK(stream->memory != MAP_FAILED);
}

static int IsError(long result) { return result < 0 && result > -4096; }

static void DrawRange(struct Stream* stream, long* start, long* size) {
  const uint64_t first = Below(stream, kMemoryPages);
  *start = P(stream->memory + first * kPage);
  *size = (long)(1 + Below(stream, kMemoryPages - first)) * kPage;
}

// Kept memory is writable between two steps.
static void Protect(struct Stream* stream) {
  static const int kAccess[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE};
  long start, size;
  char byte = 7;
  int pipes[2];
  DrawRange(stream, &start, &size);
  const int access = kAccess[Below(stream, 4)];
  Fold(stream, (uint64_t)CALL(stream, mprotect, start, size, access));
  CHECK(pipe2(pipes, O_CLOEXEC) == 0);
  const long written = CALL(stream, write, pipes[1], start, 1);
  Fold(stream, (uint64_t)written);
  if (written != 1) CHECK(write(pipes[1], &byte, 1) == 1);
  Fold(stream, (uint64_t)CALL(stream, read, pipes[0], start, 1));
  CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0);
  Fold(stream, (uint64_t)CALL(stream, mprotect, start, size, PROT_READ | PROT_WRITE));
}

static void Scribble(struct Stream* stream) {
  long start, size;
  DrawRange(stream, &start, &size);
  Fill(stream, (void*)(uintptr_t)start, 64);
  DrawRange(stream, &start, &size);
  FoldBytes(stream, (void*)(uintptr_t)start, 64);
}

static void Discard(struct Stream* stream) {
  static const int kAdvice[] = {MADV_DONTNEED, MADV_WILLNEED, MADV_DONTFORK, MADV_DOFORK, MADV_SEQUENTIAL, 1234};
  long start, size;
  DrawRange(stream, &start, &size);
  const int advice = kAdvice[Below(stream, 6)];
  Fold(stream, (uint64_t)CALL(stream, madvise, start, size, advice));
  if (advice == MADV_DONTFORK) Fold(stream, (uint64_t)CALL(stream, madvise, start, size, MADV_DOFORK));
  Fold(stream, *(const unsigned char*)(uintptr_t)start);
}

static void Replace(struct Stream* stream) {
  long start, size;
  DrawRange(stream, &start, &size);
  const int access = PROT_READ | PROT_WRITE;
  Fold(stream,
       (uint64_t)CALL(stream, mmap, start, size, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1));
  if (stream->alone && Below(stream, 2) == 0) Fold(stream, (uint64_t)CALL(stream, munmap, start, size));
  const long got = CALL(stream, mmap, start, size, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(got == start);
}

static void Resize(struct Stream* stream) {
  const long access = PROT_READ | PROT_WRITE;
  const long size = (long)(1 + Below(stream, 20)) * kPage, other = (long)(1 + Below(stream, 20)) * kPage;
  const long at = CALL(stream, mmap, 0, size, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(!IsError(at));
  Fill(stream, (void*)(uintptr_t)at, 100);
  const long moved = CALL(stream, mremap, at, size, other, MREMAP_MAYMOVE);
  CHECK(!IsError(moved));
  FoldBytes(stream, (void*)(uintptr_t)moved, 200);
  memset((void*)(uintptr_t)moved, 1, (size_t)other);
  Fold(stream, (uint64_t)CALL(stream, munmap, moved, other));
}

static void Break(struct Stream* stream) {
  if (!stream->alone) return;  // malloc of others
  const long more = (long)(1 + Below(stream, 8)) * kPage;
  const long end = CALL(stream, brk, 0);
  CHECK(CALL(stream, brk, end + more) == end + more);
  memset((void*)(uintptr_t)end, 3, (size_t)more);
  CHECK(CALL(stream, brk, end) == end);
  Fold(stream, (uint64_t)more);
}

static void Between(struct Stream* stream) {
  long start, size;
  DrawRange(stream, &start, &size);
  unsigned char bytes[128];
  const struct iovec here = {bytes, sizeof(bytes)};
  const struct iovec there = {(void*)(uintptr_t)start, sizeof(bytes)};
  Fill(stream, bytes, sizeof(bytes));
  if (Below(stream, 2) == 0) {
    Fold(stream, (uint64_t)CALL(stream, process_vm_writev, getpid(), P(&here), 1, P(&there), 1, 0));
    FoldBytes(stream, (void*)(uintptr_t)start, sizeof(bytes));
  } else {
    Fold(stream, (uint64_t)CALL(stream, process_vm_readv, getpid(), P(&here), 1, P(&there), 1, 0));
    FoldBytes(stream, bytes, sizeof(bytes));
  }
}

static void ByFile(struct Stream* stream) {
  long start, size;
  DrawRange(stream, &start, &size);
  unsigned char bytes[64];
  Fill(stream, bytes, sizeof(bytes));
  const long fd = CALL(stream, open, P("/proc/self/mem"), O_RDWR | O_CLOEXEC);
  FoldFd(stream, fd);
  Fold(stream, (uint64_t)CALL(stream, pwrite64, fd, P(bytes), sizeof(bytes), start + 5));
  Fold(stream, (uint64_t)CALL(stream, pread64, fd, P(bytes), sizeof(bytes), start));
  FoldBytes(stream, bytes, sizeof(bytes));
  Fold(stream, (uint64_t)CALL(stream, close, fd));
}

static void InMemoryFile(struct Stream* stream) {
  const long fd = CALL(stream, memfd_create, P("stress"), MFD_CLOEXEC);
  FoldFd(stream, fd);
  Fold(stream, (uint64_t)CALL(stream, ftruncate, fd, kPage));
  const long at = CALL(stream, mmap, 0, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(!IsError(at));
  *(volatile unsigned char*)(uintptr_t)(at + 9) = 99;
  unsigned char byte = 0;
  Fold(stream, (uint64_t)CALL(stream, pread64, fd, P(&byte), 1, 9));
  Fold(stream, byte);
  Fold(stream, (uint64_t)CALL(stream, munmap, at, kPage));
  Fold(stream, (uint64_t)CALL(stream, close, fd));
}

const struct Operation kMemoryOperations[] = {
    {"protect", Protect, 20, 0},
    {"scribble", Scribble, 30, 0},
    {"discard", Discard, 20, 0},
    {"replace", Replace, 20, 0},
    {"resize", Resize, 20, 0},
    {"break", Break, 10, 0},
    {"between processes", Between, 10, 0},
    {"memory by its file", ByFile, 10, 0},
    {"file in memory", InMemoryFile, 10, 0},
    {0},
};
