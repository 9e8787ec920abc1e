// Guarded fds in memory: in the lists of poll and select, in messages that pass fds on, in what io_submit and
// landlock_add_rule are given, and in structures (fd_fields.h).
#ifndef GUISE_SHIM_VIEW_FD_LISTS_H_
#define GUISE_SHIM_VIEW_FD_LISTS_H_

#include "shim/gate/call.h"

namespace guise::shim {

// Answers as if the guarded fds were closed. False: the call names none, or kNobodys (fds.h) in an argument's place.
bool AnswerForFdLists(ThreadBlock* block, GuestCall* asked, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_FD_LISTS_H_
