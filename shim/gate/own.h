// Calls that the shim answers or looks at on its own account, before any personality: signals, processes, exec, the
// guarded fds, and the process view of /proc.
#ifndef GUISE_SHIM_GATE_OWN_H_
#define GUISE_SHIM_GATE_OWN_H_

#include "shim/gate/call.h"

namespace guise::shim {

// False: the session decides where the call is answered; the process view may have given it another path.
bool AnswerOwn(ThreadBlock* block, ucontext* context, GuestCall* call, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_OWN_H_
