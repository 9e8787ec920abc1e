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

// The same by a word of the direct table. False: the call is for the server.
inline bool Fold(const GuestCall& call, const wire::DirectWord& word, GuestCall* folded) {
  const auto sources = static_cast<uint32_t>(word.value);
  const auto from = [&](uint32_t i) {
    const uint64_t source = wire::FoldSource(sources, i);
    const bool is_argument = source < wire::kFoldArguments;
    // Chosen without a branch, which could not be foretold.
    const auto* const words = is_argument ? call.args : reinterpret_cast<const uint64_t*>(wire::kFoldConstants);
    return words[is_argument ? source : source - wire::kFoldArguments];
  };
  const bool demands = wire::FoldSource(sources, 6) != wire::FoldSource(sources, 7);
  if (demands && static_cast<uint32_t>(from(6)) == static_cast<uint32_t>(from(7))) return false;
  folded->nr = syscall::Nr{word.nr};
  for (uint32_t i = 0; i < wire::kFoldArguments; ++i) folded->args[i] = from(i);
  return true;
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_FOLD_H_
