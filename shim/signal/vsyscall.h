// The vsyscall page in userspace: calls to fixed addresses of a page that kernels may lack. See
// arch/x86/entry/vsyscall/vsyscall_64.c.
#ifndef GUISE_SHIM_SIGNAL_VSYSCALL_H_
#define GUISE_SHIM_SIGNAL_VSYSCALL_H_

#include "shim/thread/block.h"

namespace guise::shim {

// Whether a fetch fault at `rip` is a call of the page that the session has answered.
bool IsVsyscall(uint64_t rip);

// Answers it: the registers are then those of the caller, after the call. False: bad addresses, and *info tells the
// guest of the fault. ABI: the caller gets SIGSEGV, not EFAULT. REQUIRES: FaultsOpen, IsVsyscall(regs->rip).
bool AnswerVsyscall(GuestRegs* regs, siginfo_t* info);

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_VSYSCALL_H_
