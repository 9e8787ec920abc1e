/* The file that the driver of switches and the program that counts have both mapped: which stack is in force.
 *
 * The driver stores `phase` (release) before a switch begins and after it has returned; the program loads it (acquire)
 * before and after each call. Phases are numbered: a number belongs to one switch or to one time between two switches,
 * so equal words before and after a call mean that it lay within.
 *
 * Stacks differ in what they tell of the ids and of the kernel. A switch between two that tell the same of the one must
 * not be seen there. */
#ifndef GUISE_TESTS_SWITCHING_PHASES_H_
#define GUISE_TESTS_SWITCHING_PHASES_H_

#include <stdint.h>

enum { kCountingThreads = 8 };

/* What a stack makes up: a set of these. */
enum Look { kHostsOwn = 0, kFakeIds = 1, kOldKernel = 2 };

/* PHASE(number, from, to): a time between two switches if `from` and `to` are the same, else a switch. */
#define PHASE(number, from, to) ((uint64_t)(number) << 4 | (uint64_t)(from) << 2 | (uint64_t)(to))
#define PHASE_FROM(phase) ((int)((phase) >> 2 & 3))
#define PHASE_TO(phase) ((int)((phase)&3))

struct ThreadCounts {
  uint64_t real;         /* results that are the host's */
  uint64_t fake;         /* results that are made up */
  uint64_t failed;       /* calls that failed */
  uint64_t strange;      /* results that are neither */
  uint64_t stale;        /* not what the stack tells that was in force during the whole call */
  uint64_t back;         /* the old value after the new one, within one switch */
  uint64_t steady;       /* calls that `stale` is about */
  uint64_t answered[2];  /* calls that the first of the two stacks answered, and the second */
  uint64_t unattributed; /* calls that either may have answered, for both tell the same */
  uint64_t wakes;        /* calls of futex(2) for the driver */
  uint64_t seen;         /* the last phase between two switches that a whole call lay in; release */
  uint64_t done;         /* 1: the thread counts no more */
};

struct Phases {
  uint64_t phase;
  uint64_t stop;
  uint64_t looks[2]; /* what the two stacks make up */
  uint32_t arrivals; /* counts changes of any `seen`: the driver waits here */
  uint32_t reserved;
  struct ThreadCounts threads[kCountingThreads];
};

#endif  // GUISE_TESTS_SWITCHING_PHASES_H_
