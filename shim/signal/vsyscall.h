// The vsyscall page in userspace: calls to fixed addresses of a page that kernels may lack. See
// arch/x86/entry/vsyscall/vsyscall_64.c.
#ifndef GUISE_SHIM_SIGNAL_VSYSCALL_H_
#define GUISE_SHIM_SIGNAL_VSYSCALL_H_

#include "shim/thread/block.h"

namespace guise::shim {

enum class Vsyscall {
  kNone,      // no call of the page that the session has answered
  kAnswered,  // the registers are those of the caller, after the call
  kRefused,   // bad addresses. ABI: the caller gets SIGSEGV, not EFAULT
};

// What a fetch fault at regs->rip means. Refused: `*info` tells the fault to the guest. REQUIRES: FaultsOpen.
Vsyscall AnswerVsyscall(GuestRegs* regs, siginfo_t* info);

// Whether a fault at `rip` may mean one.
bool IsVsyscall(uint64_t rip);

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_VSYSCALL_H_
