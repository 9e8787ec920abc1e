// stress SEED STEPS STREAMS: prints the sum of the walk. STREAMS 0: one, which makes no processes and threads. With
// STRESS_TRACE set, says on stderr after each step which it was, and the stream's sum.
#include "tests/stress/stress.h"

#include <dirent.h>
#include <pthread.h>

static const struct Operation* const kTables[] = {
    kFileOperations,    kTreeOperations,   kFdOperations,     kSignalOperations,
    kProcessOperations, kThreadOperations, kMemoryOperations, kCodeOperations,
};
enum { kTableCount = sizeof(kTables) / sizeof(kTables[0]) };

static pthread_rwlock_t ends = PTHREAD_RWLOCK_INITIALIZER;

// In a process that a step has made the lock is as it was at the fork, and nobody is there to race with.
void LockEnds(const struct Stream* stream) { CHECK(stream->depth > 0 || pthread_rwlock_rdlock(&ends) == 0); }
void LockForks(const struct Stream* stream) { CHECK(stream->depth > 0 || pthread_rwlock_wrlock(&ends) == 0); }
void UnlockEnds(const struct Stream* stream) { CHECK(stream->depth > 0 || pthread_rwlock_unlock(&ends) == 0); }

uint64_t Next(uint64_t* random) {
  uint64_t z = *random += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

void FoldBytes(struct Stream* stream, const void* bytes, size_t size) {
  const unsigned char* const at = bytes;
  uint64_t sum = size;
  for (size_t i = 0; i < size; ++i) sum = (sum ^ at[i]) * 1099511628211u;
  Fold(stream, sum);
}

void Fill(struct Stream* stream, void* bytes, size_t size) {
  unsigned char* const at = bytes;
  uint64_t random = Random(stream);
  for (size_t i = 0; i < size; ++i) at[i] = (unsigned char)((random = random * 6364136223846793005u + 1) >> 56);
}

static int all_weights;

static void SumWeights(void) {
  for (int table = 0; table < kTableCount; ++table) {
    for (const struct Operation* each = kTables[table]; each->name != NULL; ++each) all_weights += each->weight;
  }
}

static const struct Operation* Draw(struct Stream* stream) {
  int at = (int)Below(stream, (uint64_t)all_weights);
  for (int table = 0; table < kTableCount; ++table) {
    for (const struct Operation* each = kTables[table]; each->name != NULL; ++each) {
      if ((at -= each->weight) < 0) return each;
    }
  }
  abort();
}

void Walk(struct Stream* stream, uint64_t steps) {
  for (uint64_t step = 1; step <= steps; ++step) {
    const struct Operation* const operation = Draw(stream);
    if (operation->is_large && stream->depth > 0) continue;
    operation->run(stream);
    if (stream->trace) {
      dprintf(2, "stream %d depth %d step %lu %s %016lx\n", stream->number, stream->depth, step, operation->name,
              stream->sum);
    }
  }
}

static void RemoveTree(int directory) {
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY);
  DIR* const entries = fdopendir(copy);
  CHECK(entries != NULL);
  for (struct dirent* entry; (entry = readdir(entries)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    const int inner = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (inner >= 0) {
      RemoveTree(inner);
      close(inner);
    }
    CHECK(unlinkat(directory, entry->d_name, inner >= 0 ? AT_REMOVEDIR : 0) == 0);
  }
  closedir(entries);
}

void OpenStream(struct Stream* stream, const char* program, uint64_t seed, int number, int alone) {
  char name[16];
  memset(stream, 0, sizeof(*stream));
  stream->random = seed * 0x2545f4914f6cdd1du + (uint64_t)number;
  Random(stream);
  stream->program = program;
  stream->number = number;
  stream->alone = alone;
  stream->trace = getenv("STRESS_TRACE") != NULL;
  for (int i = 0; i < kKeptFiles; ++i) stream->files[i] = -1;
  snprintf(name, sizeof(name), "s%d", number);
  CHECK(mkdir(name, 0755) == 0);
  stream->directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CHECK(stream->directory >= 0);
  OpenCode(stream);
  OpenMemory(stream);
}

void CloseStream(struct Stream* stream) {
  char name[16];
  for (int i = 0; i < kKeptFiles; ++i) {
    if (stream->files[i] >= 0) close(stream->files[i]);
  }
  RemoveTree(stream->directory);
  snprintf(name, sizeof(name), "s%d", stream->number);
  CHECK(rmdir(name) == 0 && close(stream->directory) == 0);
}

struct Task {
  struct Stream stream;
  uint64_t steps;
};

static void* WalkOfThread(void* argument) {
  struct Task* const task = argument;
  OpenSignals(&task->stream);
  Walk(&task->stream, task->steps);
  return NULL;
}

int main(int argc, char** argv) {
  CHECK(argc == 4 && argv[0][0] == '/');
  const uint64_t seed = strtoull(argv[1], NULL, 10);
  const uint64_t steps = strtoull(argv[2], NULL, 10);
  const int is_nested = atoi(argv[3]) == 0;
  const int streams = is_nested ? 1 : atoi(argv[3]);
  CHECK(streams >= 1 && streams <= kMaxStreams);
  static struct Task tasks[kMaxStreams];
  SumWeights();
  InstallFaultHandlers();
  OpenSharedCode(seed);
  for (int i = 0; i < streams; ++i) {
    OpenStream(&tasks[i].stream, argv[0], seed, i, streams == 1);
    tasks[i].stream.depth = is_nested;
    tasks[i].steps = steps / (uint64_t)streams;
  }
  pthread_t threads[kMaxStreams];
  for (int i = 1; i < streams; ++i) CHECK(pthread_create(&threads[i], NULL, WalkOfThread, &tasks[i]) == 0);
  WalkOfThread(&tasks[0]);
  for (int i = 1; i < streams; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  uint64_t sum = seed;
  for (int i = 0; i < streams; ++i) {
    sum = (sum ^ tasks[i].stream.sum) * 0x9e3779b97f4a7c15u;
    CloseStream(&tasks[i].stream);
  }
  printf("sum %016lx\n", sum);
  return fflush(stdout) == 0 ? 0 : 1;
}
