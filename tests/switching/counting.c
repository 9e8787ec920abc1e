// Eight threads ask who they are, whose the directory is and which kernel this is, and count what they are told, while
// somebody switches the session's personality.
//
//   counting FILE REAL_UID RELEASE OLD_RELEASE
//
// FILE holds a struct Phases; the working directory belongs to REAL_UID; RELEASE is the kernel's own, OLD_RELEASE the
// one that a stack shows.
//
// stdin: "g" starts the threads, "e" (after Phases::stop) ends the program. While the threads count, nobody makes calls
// that are not counted, so that the counts can be compared with what Guise counted.
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "tests/guests/guest.h"
#include "tests/switching/phases.h"

static struct Phases* shared;
static uid_t real_uid;
static const char* releases[2];
static int start_gate[2];
static int end_gate[2];

enum { kFailed = -1, kStrange = -2 };

// What a call told: of what, and whether it was made up (0, 1) or wrong.
struct Told {
  int look;
  int made_up;
};

static struct Told ToldUid(long uid) {
  const struct Told told = {kFakeIds, uid == -1 ? kFailed : uid == 0 ? 1 : uid == (long)real_uid ? 0 : kStrange};
  return told;
}

static struct Told ToldRelease(int failed, const char* release) {
  const struct Told told = {kOldKernel, failed                              ? kFailed
                                        : strcmp(release, releases[1]) == 0 ? 1
                                        : strcmp(release, releases[0]) == 0 ? 0
                                                                            : kStrange};
  return told;
}

static struct Told Ask(int thread, uint64_t turn) {
  struct stat status;
  struct utsname name;
  switch ((thread + turn) % 6) {
    case 0:
      return ToldUid((long)getuid());
    case 1:
      return ToldUid(syscall(SYS_getuid));
    case 2:
      return ToldUid(stat(".", &status) == 0 ? (long)status.st_uid : -1);
    case 3:
      return ToldUid(syscall(SYS_stat, ".", &status) == 0 ? (long)status.st_uid : -1);
    case 4:
      return ToldRelease(uname(&name), name.release);
    default:
      return ToldRelease((int)syscall(SYS_uname, &name), name.release);
  }
}

// Which of the two stacks has answered; -1: both would have said so.
static int Answerer(struct Told told, int steady, int from) {
  const int first = (int)shared->looks[0];
  const int second = (int)shared->looks[1];
  if (((first ^ second) & told.look) != 0) return told.made_up == ((second & told.look) != 0);
  return steady ? from == second : -1;
}

static void Judge(struct ThreadCounts* counts, uint64_t before, uint64_t after, struct Told told, uint64_t* seen_new) {
  if (told.made_up < 0) {
    ++*(told.made_up == kFailed ? &counts->failed : &counts->strange);
    return;
  }
  ++*(told.made_up ? &counts->fake : &counts->real);
  const int from = PHASE_FROM(before);
  const int to = PHASE_TO(before);
  const int answerer = Answerer(told, before == after && from == to, from);
  ++*(answerer < 0 ? &counts->unattributed : &counts->answered[answerer]);
  if (before != after) return;
  const int is_new = told.made_up == ((to & told.look) != 0);
  if (((from ^ to) & told.look) == 0) {
    ++counts->steady;
    counts->stale += !is_new;
  } else if (is_new) {
    *seen_new = before;
  } else {
    counts->back += *seen_new == before;
  }
}

// Tells the driver, by one call.
static void Arrive(struct ThreadCounts* counts, uint64_t phase) {
  __atomic_store_n(&counts->seen, phase, __ATOMIC_RELEASE);
  __atomic_add_fetch(&shared->arrivals, 1, __ATOMIC_RELEASE);
  syscall(SYS_futex, &shared->arrivals, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
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
    const struct Told told = Ask(thread, turn);
    const uint64_t after = __atomic_load_n(&shared->phase, __ATOMIC_ACQUIRE);
    Judge(&mine, before, after, told, &seen_new);
    if (before == after && PHASE_FROM(before) == PHASE_TO(before) && mine.seen != before) {
      mine.seen = before;
      ++mine.wakes;
      Arrive(counts, before);
    }
  }
  *counts = mine;
  __atomic_store_n(&counts->done, 1, __ATOMIC_RELEASE);
  CHECK(read(end_gate[0], &byte, 1) == 1);
  return argument;
}

int main(int argc, char** argv) {
  char byte;
  static const char kBytes[kCountingThreads];
  CHECK(argc == 5);
  real_uid = (uid_t)atoi(argv[2]);
  releases[0] = argv[3];
  releases[1] = argv[4];
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
