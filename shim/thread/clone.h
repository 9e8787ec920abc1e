// fork, vfork, clone, clone3: the child is armed before its first guest instruction.
#ifndef GUISE_SHIM_THREAD_CLONE_H_
#define GUISE_SHIM_THREAD_CLONE_H_

#include "shim/gate/call.h"

namespace guise::shim {

// Sends the thread to the clone gate with all signals blocked, or answers with an error. REQUIRES: block->leaves_gs is
// right (gate/routes.h).
Outcome StartClone(ThreadBlock* block, ucontext* context, const GuestCall& call);

}  // namespace guise::shim

#endif  // GUISE_SHIM_THREAD_CLONE_H_
