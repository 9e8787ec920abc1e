// Copies of pointer arguments for the server, by the kinds of the syscall table.
#ifndef GUISE_SHIM_GATE_ARGUMENTS_H_
#define GUISE_SHIM_GATE_ARGUMENTS_H_

#include "proto/wire/cell.h"
#include "shim/gate/call.h"

namespace guise::shim {

// Copies what the call reads into the first half of a slot's inbound payload, and says where: offset + 1, or 0 for what
// is no input, is NULL, lies at a bad address or does not fit. Whoever needs a copy that is not there decides which
// error that is.
void CopyArguments(const GuestCall& call, char* payload, wire::Cell<uint16_t>* copies);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_ARGUMENTS_H_
