// One call of the guest, on its way through the gate.
#ifndef GUISE_SHIM_GATE_CALL_H_
#define GUISE_SHIM_GATE_CALL_H_

#include <stdint.h>

#include "proto/syscall/table.h"
#include "shim/arch/x86_64/gates.h"
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

// A call of the guest's.
inline int64_t Perform(const GuestCall& call) { return guise_perform(&call); }

// What becomes of a call.
struct Outcome {
  enum class Kind {
    kNative,      // natively, in guest context, as the guest asked
    kDone,        // `value` is the result
    kTail,        // `call` natively, in guest context; its result is the guest's
    kRedirected,  // the context has been edited
  };
  Kind kind;
  int64_t value;   // with kDone
  GuestCall call;  // with kTail

  // The rest stays as it is: each call has one of these.
  explicit Outcome(Kind kind = Kind::kNative) : kind(kind) {}  // NOLINT(cppcoreguidelines-pro-type-member-init)

  static Outcome Native() { return Outcome(Kind::kNative); }
  static Outcome Done(int64_t value) {
    Outcome outcome(Kind::kDone);
    outcome.value = value;
    return outcome;
  }
  static Outcome Tail(const GuestCall& call) {
    Outcome outcome(Kind::kTail);
    outcome.call = call;
    return outcome;
  }
  static Outcome Redirected() { return Outcome(Kind::kRedirected); }
};

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_CALL_H_
