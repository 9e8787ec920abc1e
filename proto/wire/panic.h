// What a dying shim leaves behind; the process then dies by SIGKILL or SIGSEGV of its own. And notices of what people
// should know. `guise run` prints both.
#ifndef GUISE_PROTO_WIRE_PANIC_H_
#define GUISE_PROTO_WIRE_PANIC_H_

#include <stdint.h>

#include "proto/wire/cell.h"
#include "proto/wire/layout.h"

namespace guise::wire {

enum class PanicKind : uint32_t {
  kNone = 0,
  kLoader = 1,    // a program could not be loaded after its exec had been committed
  kFault = 2,     // the shim itself faulted
  kCheck = 3,     // a broken invariant
  kProtocol = 4,  // the server answered what the shim cannot obey
  kNotice = 5,    // no panic: a program has left the session, as the text says
};

struct PanicRecord {
  Cell<uint32_t> kind;  // PanicKind; stored last, release
  uint32_t pid;
  uint32_t tid;
  uint32_t signal;
  uint64_t rip;
  uint64_t rsp;
  uint64_t address;
  uint64_t nr;
  uint64_t error;  // -errno, or 0
  char text[200];  // NUL-terminated: what failed
};
static_assert(sizeof(PanicRecord) == 256);

// A ring: record i of Totals::panics lies at i % kPanics.
inline constexpr uint32_t kPanics = 256;
static_assert(kPanicOffset + kPanics * sizeof(PanicRecord) <= kPayloadOffset);

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_PANIC_H_
