// Reflecting a call: one conversation with the server through a slot (proto/wire/slot.h).
#ifndef GUISE_SHIM_GATE_CHANNEL_H_
#define GUISE_SHIM_GATE_CHANNEL_H_

#include "shim/gate/call.h"

namespace guise::shim {

// Blocks until the server has said its last word. All signals are blocked meanwhile; Run steps run here and now. When
// the server dies, the session's loss policy answers.
Outcome Reflect(ThreadBlock* block, const GuestCall& call, uint32_t epoch);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_CHANNEL_H_
