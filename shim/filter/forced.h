// Signals that the kernel forces on a thread for a call of its own: SIGSYS of a filter or of dispatch.
#ifndef GUISE_SHIM_FILTER_FORCED_H_
#define GUISE_SHIM_FILTER_FORCED_H_

#include "shim/thread/block.h"

namespace guise::shim {

// What a SIGSYS for the call at the site says. code: SYS_SECCOMP or SYS_USER_DISPATCH; data: the filter's.
siginfo_t SigsysOf(const ucontext* context, int code, uint32_t nr, uint32_t arch, int data);

// Delivers it to the guest's handler, or as death when it is blocked or ignored. ABI: force_sig_seccomp(),
// kernel/signal.c.
void ForceSigsys(ThreadBlock* block, ucontext* context, const siginfo_t& info);

// Death by it, whatever the guest has asked for.
void KillBySigsys(const siginfo_t& info);

}  // namespace guise::shim

#endif  // GUISE_SHIM_FILTER_FORCED_H_
