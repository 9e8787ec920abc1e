// A long walk of small steps, each of which Linux answers in one way only. What a step is told goes into a sum, so two
// walks from one seed end in one sum, whatever the program runs under.
//
// A walk has up to four streams, each with a thread, a directory and random numbers of its own. What lies between two
// streams (fd numbers, holes in the address space, who holds the other end of a pipe) goes into no sum unless the
// stream is alone.
#ifndef GUISE_TESTS_STRESS_STRESS_H_
#define GUISE_TESTS_STRESS_STRESS_H_

#include "tests/guests/guest.h"
#include "tests/stress/code.h"

enum { kMaxStreams = 4, kKeptFiles = 4 };

struct Stream {
  uint64_t random;
  uint64_t sum;
  const char* program;  // absolute
  int number;
  int alone;      // no other stream is in the process
  int depth;      // 1 in a process that a step has made
  int directory;  // open, "s<number>" in the working directory
  int trace;
  int files[kKeptFiles];  // open over several steps; -1: not
  struct Sites sites;
  unsigned char* memory;         // kMemoryPages, kept over several steps
  unsigned char* handler_stack;  // kHandlerStack, the thread's own
};

struct Operation {
  const char* name;
  void (*run)(struct Stream* stream);
  int weight;
  int is_large;  // makes processes or threads: not done in a process that a step has made
};

// Each ends with an entry that has no name.
extern const struct Operation kFileOperations[], kTreeOperations[], kFdOperations[], kSignalOperations[],
    kProcessOperations[], kThreadOperations[], kMemoryOperations[], kCodeOperations[];

void OpenStream(struct Stream* stream, const char* program, uint64_t seed, int number, int alone);
void CloseStream(struct Stream* stream);
// `steps` of a stream, each an operation of the tables.
void Walk(struct Stream* stream, uint64_t steps);

uint64_t Next(uint64_t* random);
static inline uint64_t Random(struct Stream* stream) { return Next(&stream->random); }
static inline uint64_t Below(struct Stream* stream, uint64_t limit) { return Random(stream) % limit; }

static inline void Fold(struct Stream* stream, uint64_t value) {
  const uint64_t mixed = (stream->sum ^ value) * 0x9e3779b97f4a7c15u;
  stream->sum = mixed ^ mixed >> 29;
}
void FoldBytes(struct Stream* stream, const void* bytes, size_t size);
// A new fd's number is the process's business; that there is one is the stream's.
static inline void FoldFd(struct Stream* stream, long fd) {
  Fold(stream, (uint64_t)(fd < 0 || stream->alone ? fd : 1));
}
void Fill(struct Stream* stream, void* bytes, size_t size);

// A call through a site that the stream draws, among them those that it has made itself: a result or -errno.
long CallBy(struct Stream* stream, long nr, const long arguments[6]);
#define CALL(stream, name, ...) CallBy(stream, SYS_##name, (const long[6]){__VA_ARGS__})
#define P(pointer) ((long)(uintptr_t)(pointer))

// Who waits for an end of file, or writes to a pipe that nobody reads, must not meet a child that has the other end;
// nor may a program that a child executes find fds of another stream. Shared by those, exclusive while a child of fork
// lives.
void LockEnds(const struct Stream* stream);
void LockForks(const struct Stream* stream);
void UnlockEnds(const struct Stream* stream);

enum { kPage = 4096, kMemoryPages = 16, kHandlerStack = 65536 };

void OpenMemory(struct Stream* stream);
void OpenSignals(struct Stream* stream);
void InstallFaultHandlers(void);

#endif  // GUISE_TESTS_STRESS_STRESS_H_
