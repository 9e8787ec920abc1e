// Reflecting a call: one conversation with the server through a slot (proto/wire/slot.h).
#ifndef GUISE_SHIM_GATE_CHANNEL_H_
#define GUISE_SHIM_GATE_CHANNEL_H_

#include "shim/gate/call.h"

namespace guise::shim {

// Blocks until the server has said its last word. Signals are blocked meanwhile, but for native calls that may block
// (signal/interrupt.h). When the server dies, the session's loss policy answers.
// REQUIRES: the block holds the guest's mask.
Outcome Reflect(ThreadBlock* block, const GuestCall& call, uint32_t epoch);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_CHANNEL_H_
