// Calls that the shim answers or looks at on its own account, before any personality: signals, processes, exec, the
// guarded fds, and the process view of /proc.
#ifndef GUISE_SHIM_GATE_OWN_H_
#define GUISE_SHIM_GATE_OWN_H_

#include "shim/gate/call.h"
#include "shim/gate/looks.h"

namespace guise::shim {

// False: the session decides where the call is answered; the process view may have given it another path.
bool AnswerOwn(ThreadBlock* block, ucontext* context, GuestCall* call, Outcome* outcome);

// exit(2), exit_group(2): the thread goes to its exit gate, or is gone.
Outcome Exit(ThreadBlock* block, ucontext* context, const GuestCall& call);

// The part of it that needs no signal frame: guarded fds and views. `looks`: of the call's number. REQUIRES: they are
// not kCaught.
bool AnswerView(ThreadBlock* block, Looks looks, GuestCall* call, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_OWN_H_
