// The trampoline: from the kernel's frame on the block's stack to the guest's handler on the guest's stack.
#ifndef GUISE_SHIM_SIGNAL_DELIVER_H_
#define GUISE_SHIM_SIGNAL_DELIVER_H_

#include "shim/thread/block.h"

namespace guise::shim {

// The kernel's handler for every signal that the guest handles.
void OnSignal(int signal, siginfo_t* info, ucontext* context);

// Builds the guest's frame and edits the kernel's, so that the return from the shim's handler enters the guest's, with
// stack and mask switched at once. False: it enters none, for the guest dies. REQUIRES: the guest has a handler for the
// signal.
bool Deliver(ThreadBlock* block, int signal, const siginfo_t* info, ucontext* context, const KernelAction& action);

// What the guest has asked for when this signal comes: nothing, its handler, or the kernel's default action as soon as
// the shim's handler returns (to another thread's sigaction(2) since the kernel chose). Whether a handler is entered.
bool ApplyDisposition(ThreadBlock* block, int signal, const siginfo_t* info, ucontext* context);

// Last of all in a handler: the guest goes on where its text leads, and stubs are told what has changed. Returns the
// place as the guest knows it.
uint64_t Settle(ThreadBlock* block, ucontext* context);

// Sends a signal to this thread again, with its siginfo: it comes when it is not blocked any more.
void Requeue(int signal, const siginfo_t* info);

// A blocked signal that has come nevertheless; it is pending again. ABI: dequeue_synchronous_signal() of
// kernel/signal.c looks at the mask for some signal of that kind, such as the SIGSYS of dispatch, and then takes the
// first in the queue.
bool ReturnBlocked(ThreadBlock* block, const siginfo_t* info, const ucontext* context);
// The same where the call that is being caught is one of the shim's own traps: its SIGSYS comes next, and has to find
// the context as it is.
bool ReturnBlockedAtTrap(const siginfo_t* info, const ucontext* context);

// The guest's stack cannot take a frame for `signal` (0: a frame to return to cannot be read). ABI: force_sigsegv() and
// force_sig(): the guest's handler for SIGSEGV, unless that is what failed, or death. Whether a handler is entered.
bool ForceSegv(ThreadBlock* block, int signal, ucontext* context);

// The guest's rt_sigreturn(2).
void ReturnFromSignal(ThreadBlock* block, ucontext* context);

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_DELIVER_H_
