// Eight threads call getuid and stat and count what they are told, while somebody switches the session's personality.
//
//   counting FILE REAL_UID     FILE holds a struct Phases; the working directory belongs to REAL_UID
//
// stdin: "g" starts the threads, "e" (after Phases::stop) ends the program. While the threads count, nobody makes other
// calls, so that the counts can be compared with what Guise counted.
#include <pthread.h>
#include <sys/mman.h>

#include "tests/guests/guest.h"
#include "tests/switching/phases.h"

static struct Phases* shared;
static uid_t real_uid;
static int start_gate[2];
static int end_gate[2];

// The result of one call: an id, or -1.
static long Ask(int thread, uint64_t turn) {
  struct stat status;
  switch ((thread + turn) % 4) {
    case 0:
      return (long)getuid();
    case 1:
      return syscall(SYS_getuid);
    case 2:
      return stat(".", &status) == 0 ? (long)status.st_uid : -1;
    default:
      return syscall(SYS_stat, ".", &status) == 0 ? (long)status.st_uid : -1;
  }
}

static void Judge(struct ThreadCounts* counts, uint64_t before, uint64_t after, long result, uint64_t* seen_new) {
  if (result == -1) {
    ++counts->failed;
    return;
  }
  if (result != 0 && result != (long)real_uid) {
    ++counts->strange;
    return;
  }
  const int fake = result == 0;
  ++*(fake ? &counts->fake : &counts->real);
  if (before != after) return;
  const int kind = PHASE_KIND(before);
  if (kind == kReal || kind == kFake) {
    ++counts->steady;
    counts->stale += fake != (kind == kFake);
  } else if (fake == (kind == kTurningFake)) {
    *seen_new = before;
  } else {
    counts->back += *seen_new == before;
  }
}

static void* Count(void* argument) {
  const int thread = (int)(intptr_t)argument;
  struct ThreadCounts* const counts = &shared->threads[thread];
  struct ThreadCounts mine = {0};
  uint64_t seen_new = 0;
  char byte;
  CHECK(read(start_gate[0], &byte, 1) == 1);
  for (uint64_t turn = 0; !__atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE); ++turn) {
    const uint64_t before = __atomic_load_n(&shared->phase, __ATOMIC_ACQUIRE);
    const long result = Ask(thread, turn);
    const uint64_t after = __atomic_load_n(&shared->phase, __ATOMIC_ACQUIRE);
    Judge(&mine, before, after, result, &seen_new);
    /* The driver waits for these before it switches again. */
    __atomic_store_n(&counts->steady, mine.steady, __ATOMIC_RELEASE);
  }
  *counts = mine;
  __atomic_store_n(&counts->done, 1, __ATOMIC_RELEASE);
  CHECK(read(end_gate[0], &byte, 1) == 1);
  return argument;
}

int main(int argc, char** argv) {
  char byte;
  static const char kBytes[kCountingThreads];
  CHECK(argc == 3);
  real_uid = (uid_t)atoi(argv[2]);
  const int file = open(argv[1], O_RDWR);
  CHECK(file >= 0);
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(shared != MAP_FAILED && pipe(start_gate) == 0 && pipe(end_gate) == 0);
  pthread_t threads[kCountingThreads];
  for (long i = 0; i < kCountingThreads; ++i) CHECK(pthread_create(&threads[i], NULL, Count, (void*)i) == 0);
  CHECK(write(1, "ready\n", 6) == 6);
  CHECK(read(0, &byte, 1) == 1 && byte == 'g');
  CHECK(write(start_gate[1], kBytes, sizeof(kBytes)) == sizeof(kBytes));
  CHECK(read(0, &byte, 1) == 1 && byte == 'e');
  CHECK(write(end_gate[1], kBytes, sizeof(kBytes)) == sizeof(kBytes));
  for (int i = 0; i < kCountingThreads; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  return Pass();
}
