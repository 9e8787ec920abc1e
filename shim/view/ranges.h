// The shim's own memory in the guest's address space: what the guest maps, unmaps or protects, it must survive.
#ifndef GUISE_SHIM_VIEW_RANGES_H_
#define GUISE_SHIM_VIEW_RANGES_H_

#include "shim/gate/call.h"

namespace guise::shim {

// Answers calls that would take away, replace, move or change memory of the shim's with EPERM, as the kernel answers
// for a sealed mapping (mseal(2)): the call changes nothing, also of what else it names. False: not concerned,
// or the kernel itself refuses it before it comes to that memory.
bool AnswerForRanges(const GuestCall& call, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_RANGES_H_
