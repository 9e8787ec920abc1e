// SIGSYS: how the kernel tells the shim that the guest made a call.
#ifndef GUISE_SHIM_GATE_SIGSYS_H_
#define GUISE_SHIM_GATE_SIGSYS_H_

#include "shim/thread/block.h"

namespace guise::shim {

// Never performs a call that may block: it sends the thread to the site's stub, so that the call runs in guest context
// and EINTR and SA_RESTART are the kernel's own.
void OnSigsys(int signal, siginfo_t* info, ucontext* context);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_SIGSYS_H_
