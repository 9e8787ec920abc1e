// How small an alternate stack may be. That depends on the CPU, on how the kernel was built, and on the state that the
// process may use (AMX), so the kernel is asked. It judges the stacks that it knows, which are the blocks: so this
// thread has one of the size in question there, for a moment.
#ifndef GUISE_SHIM_SIGNAL_STACK_SIZE_H_
#define GUISE_SHIM_SIGNAL_STACK_SIZE_H_

#include "shim/gate/call.h"

namespace guise::shim {

// `frame`: AT_MINSIGSTKSZ, or 0 on a kernel without, which takes each size from MINSIGSTKSZ on.
// REQUIRES: once, in the loader.
void NoteFrameSize(uint64_t frame);

// ABI: sigaltstack_size_valid(), arch/x86/kernel/signal.c, and MINSIGSTKSZ.
bool IsGoodStackSize(ThreadBlock* block, uint64_t size);

// arch_prctl(2): ARCH_REQ_XCOMP_PERM, which an alternate stack of the guest's stands against that is too small for a
// frame with that state. ABI: validate_sigaltstack(), arch/x86/kernel/fpu/xstate.c. False: another command, or there is
// no such stack.
bool AnswerStateRequest(ThreadBlock* block, const GuestCall& call, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_STACK_SIZE_H_
