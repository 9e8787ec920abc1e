// How a call is answered that neither the guest's own process nor its filters decide: by the page, and by what of it
// has to be made here.
#ifndef GUISE_SHIM_GATE_ANSWER_H_
#define GUISE_SHIM_GATE_ANSWER_H_

#include "shim/gate/call.h"
#include "shim/gate/published.h"

namespace guise::shim {

// By the published page. REQUIRES: the gate is entered, with this decision, whose placement is kShim or kKernel.
Outcome Act(ThreadBlock* block, const GuestCall& call, const Decision& decision);

// The server is asked about some errors of the kernel (`asks`: wire::AskOn): makes the call here, if it is not made
// yet. False: it has failed with one of them, without any effect; `outcome` is what the kernel says. REQUIRES: the gate
// has been left, for the call may block.
bool Attempt(ThreadBlock* block, const GuestCall& asked, uint8_t asks, Outcome* outcome);

// Makes a call here, not in guest context, if it has to be: `outcome` is what has become of `asked`.
void MakeHere(ThreadBlock* block, const GuestCall& asked, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_ANSWER_H_
