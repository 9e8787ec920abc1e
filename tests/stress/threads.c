// Helpers that live for one step: threads of pthread and of clone. Each has random numbers and a sum of its own.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>

#include "tests/stress/stress.h"

enum { kHelpers = 4, kHelperStack = 65536 };

static struct Stream* MakeHelper(struct Stream* stream) {
  struct Stream* const helper = malloc(sizeof(*helper));
  CHECK(helper != NULL);
  memcpy(helper, stream, sizeof(*helper));
  helper->random = Random(stream);
  helper->sum = 0;
  helper->alone = 0;
  return helper;
}

static void Join(struct Stream* stream, struct Stream* helper) {
  Fold(stream, helper->sum);
  free(helper);
}

// What any number of threads may do at once.
static void Work(struct Stream* helper) {
  for (uint64_t times = 1 + Below(helper, 20); times > 0; --times) {
    int ends[2];
    uint64_t value = Random(helper), got = 0;
    CHECK(CALL(helper, pipe2, P(ends), O_CLOEXEC) == 0);
    Fold(helper, (uint64_t)CALL(helper, write, ends[1], P(&value), 8));
    Fold(helper, (uint64_t)CALL(helper, read, ends[0], P(&got), 8));
    Fold(helper, got);
    Fold(helper, (uint64_t)CALL(helper, close, ends[0]));
    Fold(helper, (uint64_t)CALL(helper, close, ends[1]));
    Fold(helper, (uint64_t)CALL(helper, readlinkat, helper->directory, P("nothing"), P(&got), 8));
    CHECK(CALL(helper, getpid) == getpid());
  }
}

static void* WorkOnThread(void* argument) {
  Work(argument);
  return argument;
}

static void Threads(struct Stream* stream) {
  pthread_t threads[kHelpers];
  struct Stream* helpers[kHelpers];
  const uint64_t count = 1 + Below(stream, kHelpers);
  for (uint64_t i = 0; i < count; ++i) {
    helpers[i] = MakeHelper(stream);
    CHECK(pthread_create(&threads[i], NULL, WorkOnThread, helpers[i]) == 0);
  }
  for (uint64_t i = 0; i < count; ++i) {
    void* result = NULL;
    CHECK(pthread_join(threads[i], &result) == 0 && result == helpers[i]);
    Join(stream, helpers[i]);
  }
}

struct Turns {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  uint32_t turn;  // also a futex
  uint32_t turns;
};

static void* TakeTurns(void* argument) {
  struct Turns* const turns = argument;
  for (uint32_t i = 1; i < turns->turns; i += 2) {
    pthread_mutex_lock(&turns->mutex);
    while (turns->turn != i) pthread_cond_wait(&turns->changed, &turns->mutex);
    turns->turn = i + 1;
    pthread_cond_signal(&turns->changed);
    pthread_mutex_unlock(&turns->mutex);
  }
  return NULL;
}

static void Condition(struct Stream* stream) {
  pthread_t thread;
  struct Turns turns = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 2 * (uint32_t)Below(stream, 12)};
  CHECK(pthread_create(&thread, NULL, TakeTurns, &turns) == 0);
  for (uint32_t i = 0; i < turns.turns; i += 2) {
    pthread_mutex_lock(&turns.mutex);
    while (turns.turn != i) pthread_cond_wait(&turns.changed, &turns.mutex);
    turns.turn = i + 1;
    pthread_cond_signal(&turns.changed);
    pthread_mutex_unlock(&turns.mutex);
  }
  CHECK(pthread_join(thread, NULL) == 0);
  Fold(stream, turns.turn);
}

static void AwaitTurn(struct Stream* stream, uint32_t* turn, uint32_t wanted) {
  // As often as it takes; the stream's numbers go on the same.
  const uint64_t random = Random(stream);
  for (uint32_t now; (now = __atomic_load_n(turn, __ATOMIC_ACQUIRE)) != wanted;) {
    const long result = CALL(stream, futex, P(turn), FUTEX_WAIT_PRIVATE, now, 0);
    CHECK(result == 0 || result == -EAGAIN || result == -EINTR);
  }
  stream->random = random;
}

static void GiveTurn(struct Stream* stream, uint32_t* turn, uint32_t next) {
  __atomic_store_n(turn, next, __ATOMIC_RELEASE);
  CHECK(CALL(stream, futex, P(turn), FUTEX_WAKE_PRIVATE, 1) >= 0);
}

struct Clone {
  struct Stream* helper;
  uint32_t turn;
  uint32_t turns;
  uint32_t tid;
};

// Shares the thread-local memory of who waits for it.
static int TakeTurnsInClone(void* argument) {
  struct Clone* const clone = argument;
  for (uint32_t i = 1; i < clone->turns; i += 2) {
    AwaitTurn(clone->helper, &clone->turn, i);
    GiveTurn(clone->helper, &clone->turn, i + 1);
  }
  Work(clone->helper);
  return (int)(clone->helper->sum & 63);
}

// A thread, or a process that shares all but that.
static void Clone(struct Stream* stream) {
  enum { kShared = CLONE_VM | CLONE_FS | CLONE_FILES };
  const int is_thread = (int)Below(stream, 2);
  struct Clone start = {MakeHelper(stream), 0, 2 * (uint32_t)Below(stream, 6), 1};
  char* const memory = malloc(kHelperStack);
  CHECK(memory != NULL);
  const int flags = is_thread ? CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID : SIGCHLD;
  const int child = clone(TakeTurnsInClone, memory + kHelperStack, kShared | flags, &start, NULL, NULL, &start.tid);
  CHECK(child > 0);
  for (uint32_t i = 0; i < start.turns; i += 2) {
    AwaitTurn(stream, &start.turn, i);
    GiveTurn(stream, &start.turn, i + 1);
  }
  if (is_thread) {
    while (__atomic_load_n(&start.tid, __ATOMIC_ACQUIRE) != 0) {
      syscall(SYS_futex, &start.tid, FUTEX_WAIT, 1, NULL, NULL, 0);
    }
  } else {
    int status = 0;
    CHECK(CALL(stream, wait4, child, P(&status), __WALL, 0) == child);
    Fold(stream, (uint64_t)status);
  }
  Join(stream, start.helper);
  free(memory);
}

const struct Operation kThreadOperations[] = {
    {"threads", Threads, 8, 1},
    {"condition", Condition, 5, 1},
    {"clone", Clone, 8, 1},
    {0},
};
