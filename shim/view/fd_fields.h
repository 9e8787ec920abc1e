// Guarded fds in single fields: of the structures that a call's number and command say, and in arguments that are an fd
// for some commands only.
#ifndef GUISE_SHIM_VIEW_FD_FIELDS_H_
#define GUISE_SHIM_VIEW_FD_FIELDS_H_

#include "shim/gate/call.h"

namespace guise::shim {

// Answers as if the guarded fds were closed. False: the call names none, or kNobodys (fds.h) in an argument's place.
bool AnswerForFdFields(const ProcessState& process, GuestCall* call, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_FD_FIELDS_H_
