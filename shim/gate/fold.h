// Kind::kFold: an old call expressed as a newer one by a permutation of arguments.
#ifndef GUISE_SHIM_GATE_FOLD_H_
#define GUISE_SHIM_GATE_FOLD_H_

#include "shim/gate/call.h"
#include "shim/gate/published.h"

namespace guise::shim {

inline GuestCall FoldedCall(const GuestCall& call, const ActionCopy& action) {
  GuestCall folded = {static_cast<syscall::Nr>(action.nr), {}};
  for (uint32_t i = 0; i < action.count && i < 6; ++i) {
    const uint8_t from = action.from[i];
    folded.args[i] = from < 6 ? call.args[from] : Word(int64_t{action.constants[(from - 6) % 4]});
  }
  return folded;
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_FOLD_H_
