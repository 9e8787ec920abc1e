// membarrier(2): the shim registers a process for barriers between writes to its text (rewrite/jump.h). Programs see
// what they have registered themselves.
#ifndef GUISE_SHIM_VIEW_BARRIERS_H_
#define GUISE_SHIM_VIEW_BARRIERS_H_

#include "shim/gate/call.h"

namespace guise::shim {

// Answers calls in which the shim's registration would show. False: not concerned.
bool AnswerForBarriers(const GuestCall& call, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_BARRIERS_H_
