// Leaving a signal without the kernel's rt_sigreturn(2): the state that a frame holds is loaded in user mode, with one
// system call for the mask. An rt_sigreturn(2) costs twice that, and a guest's own, caught by dispatch, a signal more.
//
// Only what most frames are: 64-bit code that does not step itself, with extended FP state, on a thread whose %gs is
// the shim's. All else is left to the kernel, which is the judge of odd frames.
#ifndef GUISE_SHIM_SIGNAL_LEAVE_H_
#define GUISE_SHIM_SIGNAL_LEAVE_H_

#include "shim/thread/block.h"

namespace guise::shim {

// Whether a handler of the shim can be left like that. REQUIRES: as ReadGuest.
bool CanLeave(const ThreadBlock* block, const ucontext* context);

// Last of all in a handler of the shim: goes on where the context says. `shown`: the same place as the guest knows it.
// REQUIRES: CanLeave.
[[noreturn]] void LeaveHandler(ThreadBlock* block, const ucontext* context, uint64_t shown);

// The guest's rt_sigreturn(2) from the gate of rewritten sites. False: nothing is done, the thread has to be caught.
bool ReturnInGate(ThreadBlock* block);

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_LEAVE_H_
