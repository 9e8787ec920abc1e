// Which calls may run natively in a rewritten site's stub, and what the stubs reach by %gs to tell.
//
// %gs is the shim's while the guest has not used it: each thread's block lies there, with a cookie, so that a stub
// finds out when the guest has changed it. A thread whose %gs is the guest's has its calls caught by dispatch, at each
// site.
#ifndef GUISE_SHIM_GATE_ROUTES_H_
#define GUISE_SHIM_GATE_ROUTES_H_

#include "shim/gate/call.h"
#include "shim/rewrite/stub_code.h"
#include "shim/thread/block.h"

namespace guise::shim {

// By what the shim looks at (looks.h).
Route RouteOf(syscall::Nr nr);
// Whether the direct table may say of a number that it is folded, or attempted. Others are so too, but slower: it is
// for stubs to be small.
bool IsMadeOtherwise(syscall::Nr nr);

// Whether this CPU and kernel let programs set %gs. REQUIRES: called before TakeGs.
void NoteHardware(uint64_t hwcap2);

// Gives this thread's stubs what they need, or renews it; block->cookie stays 0 when %gs is the guest's. A thread that
// has it not is caught at rewritten sites, twice, so all of a process have it that may come to one: from the first site
// or the second thread on. On some CPUs it costs a system call, and more at each switch of threads.
// REQUIRES: the thread's record has been taken.
void TakeGs(ThreadBlock* block);
// Whether %gs is this block. REQUIRES: as ReadGuest.
bool HoldsGs(const ThreadBlock* block);
// The thread was caught, and may have changed %gs: notes that it is the guest's then. REQUIRES: as ReadGuest.
void NoteGs(ThreadBlock* block);
// What the stubs of the thread are told changes with the guest's filters, dispatch and mask, and guarded fds.
void UpdateRoutes(ThreadBlock* block);
void UpdateGuarded(const ProcessState* process);
// Until UpdateGuarded no fd passes for the guest's own.
void CloseFdRoutes(const ProcessState* process);

// arch_prctl(2) of %gs and %fs; false: another of its commands.
bool AnswerBases(ThreadBlock* block, const GuestCall& call, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_ROUTES_H_
