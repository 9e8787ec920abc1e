// One call of the guest, on its way through the gate.
#ifndef GUISE_SHIM_GATE_CALL_H_
#define GUISE_SHIM_GATE_CALL_H_

#include <stdint.h>

#include "proto/syscall/table.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/thread/block.h"

namespace guise::shim {

struct GuestCall {
  syscall::Nr nr;
  uint64_t args[6];
};

inline bool Same(const GuestCall& a, const GuestCall& b) {
  bool same = a.nr == b.nr;
  for (int i = 0; i < 6; ++i) same = same && a.args[i] == b.args[i];
  return same;
}

inline bool HasTrait(const GuestCall& call, syscall::Trait trait) {
  const syscall::Row* const row = syscall::Find(static_cast<uint32_t>(call.nr));
  return row != nullptr && row->Has(trait);
}

inline int64_t Perform(const GuestCall& call) {
  return RawSyscall(static_cast<uint64_t>(call.nr), call.args[0], call.args[1], call.args[2], call.args[3],
                    call.args[4], call.args[5]);
}

// What becomes of a call.
struct Outcome {
  enum class Kind {
    kNative,      // natively, in guest context, as the guest asked
    kDone,        // `value` is the result
    kTail,        // `call` natively, in guest context; its result is the guest's
    kRedirected,  // the context has been edited
  };
  Kind kind = Kind::kNative;
  int64_t value = 0;
  GuestCall call = {};

  static Outcome Native() { return {}; }
  static Outcome Done(int64_t value) { return {.kind = Kind::kDone, .value = value}; }
  static Outcome Tail(const GuestCall& call) { return {.kind = Kind::kTail, .call = call}; }
  static Outcome Redirected() { return {.kind = Kind::kRedirected}; }
};

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_CALL_H_
