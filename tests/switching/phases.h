/* The file that the driver of switches and the program that counts have both mapped: which personality is in force.
 *
 * The driver stores `phase` (release) before a switch begins and after it has returned; the program loads it (acquire)
 * before and after each call. Phases are numbered: PHASE(number, kind); a number belongs to one switch or to one time
 * between two switches, so equal words before and after a call mean that it lay within. */
#ifndef GUISE_TESTS_SWITCHING_PHASES_H_
#define GUISE_TESTS_SWITCHING_PHASES_H_

#include <stdint.h>

enum { kCountingThreads = 8 };

/* In force while the phase lasts, or becoming so. */
enum PhaseKind { kReal = 0, kFake = 1, kTurningReal = 2, kTurningFake = 3 };

#define PHASE(number, kind) ((uint64_t)(number) << 2 | (uint64_t)(kind))
#define PHASE_KIND(phase) ((int)((phase)&3))

struct ThreadCounts {
  uint64_t real;    /* results that are the host's */
  uint64_t fake;    /* results that are root's */
  uint64_t failed;  /* calls that failed */
  uint64_t strange; /* results that are neither */
  uint64_t stale;   /* the old value, though the switch had returned before the call */
  uint64_t back;    /* the old value after the new one, within one switch */
  uint64_t steady;  /* calls that lay between two switches: those that `stale` is about */
  uint64_t done;    /* 1: the thread counts no more */
};

struct Phases {
  uint64_t phase;
  uint64_t stop;
  uint64_t reserved[6];
  struct ThreadCounts threads[kCountingThreads];
};

#endif  // GUISE_TESTS_SWITCHING_PHASES_H_
