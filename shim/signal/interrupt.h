// Interrupting a reflected call. A conversation runs with the guest's signals blocked, but for native calls that may
// block: around these the guest's own mask holds, and a signal that comes ends them as natively. It is kept, for the
// conversation has an end of its own; what the server makes of the call's -EINTR is the guest's result, and then the
// signal is delivered behind the call, or before it, if Linux would make it again. So no handler of the guest ever runs
// within a conversation, and none can leave one by siglongjmp(3).
#ifndef GUISE_SHIM_SIGNAL_INTERRUPT_H_
#define GUISE_SHIM_SIGNAL_INTERRUPT_H_

#include "shim/arch/x86_64/offsets.h"
#include "shim/gate/call.h"
#include "shim/thread/block.h"

namespace guise::shim {

// No result: a signal waits in the block and comes first.
inline constexpr int64_t kNotMade = GUISE_NOT_MADE;

// A native call of a conversation, or of the gate of rewritten sites; value or -errno. When a signal is kept already, a
// call that may block is not made and fails with -EINTR: natively it would not have slept either. REQUIRES: the block
// holds the guest's mask.
int64_t PerformStep(ThreadBlock* block, const GuestCall& call);

// The same, with the guest's mask for any call. In the gate that mask holds already, and the result may be kNotMade.
int64_t PerformOpen(ThreadBlock* block, const GuestCall& call);

// For the handlers of the shim, first of all: keeps the signal and returns true when it has come to such a call.
bool KeepInterruption(ThreadBlock* block, const siginfo_t* info, ucontext* context);

// Likewise for a signal that comes to the gate of rewritten sites, which runs with the guest's own mask: it is
// delivered when the gate is left.
bool KeepForGate(ThreadBlock* block, const siginfo_t* info, ucontext* context);

// Whether the guest is to make its call again after the signal that is kept, because nothing has come of it. ABI:
// SA_RESTART, and calls before which the signal came, signal(7).
bool Restarts(const ThreadBlock* block, const Outcome& outcome);

// Delivers what is kept. REQUIRES: has_interruption; `context` is the site's, with the outcome applied unless the call
// restarts.
void DeliverInterruption(ThreadBlock* block, ucontext* context, const Outcome& outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_INTERRUPT_H_
