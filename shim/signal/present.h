// What the guest is shown of an interrupted instruction: never a stub or a gate, always the site or the place behind
// it, with the registers that Linux would show there.
#ifndef GUISE_SHIM_SIGNAL_PRESENT_H_
#define GUISE_SHIM_SIGNAL_PRESENT_H_

#include "shim/thread/block.h"

namespace guise::shim {

struct Presented {
  bool in_shim;     // the shim's own code: there is no guest state to show
  bool after_call;  // behind a native call, whose result is in rax
};

// Edits the context in place.
Presented Present(ThreadBlock* block, ucontext* context);

// A call with a mask of its own that was not interrupted has put the old mask back already.
void EndTempMask(ThreadBlock* block, const Presented& presented, const ucontext* context);

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_PRESENT_H_
