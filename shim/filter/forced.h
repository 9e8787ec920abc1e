// Signals that the kernel forces on a thread for a call of its own: SIGSYS of a filter or of dispatch.
#ifndef GUISE_SHIM_FILTER_FORCED_H_
#define GUISE_SHIM_FILTER_FORCED_H_

#include "shim/thread/block.h"

namespace guise::shim {

// Delivers SIGSYS for the call at the site: to the guest's handler, or as death when it is blocked or ignored.
// code: SYS_SECCOMP or SYS_USER_DISPATCH. ABI: force_sig_seccomp(), kernel/signal.c.
void ForceSigsys(ThreadBlock* block, ucontext* context, int code, uint32_t nr, uint32_t arch, int data);

// Death by SIGSYS, whatever the guest has asked for.
void KillBySigsys(ThreadBlock* block, ucontext* context, int code, uint32_t nr, uint32_t arch, int data);

}  // namespace guise::shim

#endif  // GUISE_SHIM_FILTER_FORCED_H_
