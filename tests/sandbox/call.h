// How attempts to get out make their calls.
#ifndef GUISE_TESTS_SANDBOX_CALL_H_
#define GUISE_TESTS_SANDBOX_CALL_H_

#include "tests/guests/gadget.h"

// An instruction of the shim that dispatch lets through; NULL: calls are made as others are.
extern unsigned char* gadget;

// The kernel's own word: a value or -errno.
static inline long Call(long nr, long a, long b, long c, long d, long e, long f) {
  if (gadget != NULL) return CallThrough(gadget, nr, a, b, c, d, e, f);
  const long result = syscall(nr, a, b, c, d, e, f);
  return result == -1 ? -errno : result;
}
#define DO0(nr) Call(nr, 0, 0, 0, 0, 0, 0)
#define DO1(nr, a) Call(nr, (long)(a), 0, 0, 0, 0, 0)
#define DO2(nr, a, b) Call(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define DO3(nr, a, b, c) Call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define DO4(nr, a, b, c, d) Call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define DO5(nr, a, b, c, d, e) Call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define DO6(nr, a, b, c, d, e, f) Call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline const char* Env(const char* name) {
  const char* const value = getenv(name);
  CHECK(value != NULL);
  return value;
}

#endif  // GUISE_TESTS_SANDBOX_CALL_H_
