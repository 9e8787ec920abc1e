// SIGSEGV and SIGBUS: first the shim's own (bad guest pointers), then the guest's.
#ifndef GUISE_SHIM_SIGNAL_FAULT_H_
#define GUISE_SHIM_SIGNAL_FAULT_H_

#include "shim/thread/block.h"

namespace guise::shim {

// The handler of both. What is not the shim's is delivered to the guest, or held back where it has to wait.
void OnFault(int signal, siginfo_t* info, ucontext* context);

// Lets faults through while a handler of the shim copies, also when the guest had blocked them: a blocked fault kills.
// What others send meanwhile waits in the block until the copying is done, and what they send later waits in the
// kernel.
class FaultsOpen {
 public:
  FaultsOpen(ThreadBlock* block, const ucontext* context);
  ~FaultsOpen();
  FaultsOpen(const FaultsOpen&) = delete;
  FaultsOpen& operator=(const FaultsOpen&) = delete;

 private:
  ThreadBlock* const block_;
};

inline constexpr SignalSet kFaults = Bit(SIGSEGV) | Bit(SIGBUS);

// Sends again what has waited in the block meanwhile. Faults are blocked from then on.
void ReleaseFaults(ThreadBlock* block);

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_FAULT_H_
