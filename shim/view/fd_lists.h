// Guarded fds in lists of fds: poll, select, and messages that pass fds on.
#ifndef GUISE_SHIM_VIEW_FD_LISTS_H_
#define GUISE_SHIM_VIEW_FD_LISTS_H_

#include "shim/gate/call.h"

namespace guise::shim {

// Answers as if the guarded fds were closed. False: the call names none.
bool AnswerForFdLists(ThreadBlock* block, const GuestCall& call, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_FD_LISTS_H_
