// What a signal frame says of the thread's last fault: error code, trap number and cr2. ABI: setup_sigcontext() of
// arch/x86/kernel/signal_64.c: the kernel keeps them with the thread, and shows them in frames of later signals, too. A
// fault of the shim's, which the guest knows nothing of, takes their place there.
#ifndef GUISE_SHIM_SIGNAL_FAULT_WORDS_H_
#define GUISE_SHIM_SIGNAL_FAULT_WORDS_H_

#include "shim/thread/block.h"

namespace guise::shim {

inline FaultWords FaultWordsOf(const ucontext* context) {
  return {context->uc_mcontext.err, context->uc_mcontext.trapno, context->uc_mcontext.cr2};
}

// The fault that the frame is of has been the shim's.
inline void NoteOwnFault(ThreadBlock* block, const ucontext* context) {
  block->own_fault = FaultWordsOf(context);
  block->faulted_itself = true;
}

// First of all with a frame that the guest may be shown: edits it to show the guest's own last fault. `faulted`: it is
// of such a one.
inline void ShowLastFault(ThreadBlock* block, ucontext* context, bool faulted) {
  constexpr uint64_t kPageFault = 14;
  const FaultWords seen = FaultWordsOf(context);
  FaultWords& last = block->last_fault;
  // Other than what the shim has left there: of a fault since. Only page faults change cr2.
  if (block->faulted_itself && (faulted || !(seen == block->own_fault))) {
    last.error = seen.error;
    last.trap = seen.trap;
    block->own_fault = seen;
    block->faulted_itself = seen.trap != kPageFault;
  }
  if (!block->faulted_itself) {
    last = seen;
    return;
  }
  context->uc_mcontext.err = last.error;
  context->uc_mcontext.trapno = last.trap;
  context->uc_mcontext.cr2 = last.cr2;
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_FAULT_WORDS_H_
