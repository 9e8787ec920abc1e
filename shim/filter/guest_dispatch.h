// The guest's own Syscall User Dispatch: the kernel's serves the shim, so the guest's is done here.
#ifndef GUISE_SHIM_FILTER_GUEST_DISPATCH_H_
#define GUISE_SHIM_FILTER_GUEST_DISPATCH_H_

#include "shim/gate/call.h"

namespace guise::shim {

// prctl(PR_SET_SYSCALL_USER_DISPATCH, ...): 0 or -errno.
int64_t SetGuestDispatch(ThreadBlock* block, const GuestCall& call);

// True when the call at the site is dispatched: SIGSYS has been delivered.
// REQUIRES: the block's dispatch is on.
bool DispatchedByGuest(ThreadBlock* block, ucontext* context, uint32_t nr, uint32_t arch);

}  // namespace guise::shim

#endif  // GUISE_SHIM_FILTER_GUEST_DISPATCH_H_
