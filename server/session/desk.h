// Desk: what the server keeps of a slot, from its first call on; used again for each of its calls.
//
// Thread safety: none; the session's strand.
#ifndef GUISE_SERVER_SESSION_DESK_H_
#define GUISE_SERVER_SESSION_DESK_H_

#include <cstdint>
#include <memory>

#include "server/channel/arguments.h"
#include "server/stack/conversation.h"
#include "server/stack/session_parts.h"

namespace guise::server {

struct Desk {
  Desk(uint32_t slot, SessionParts& parts) : conversation(slot, parts) {}

  Conversation conversation;
  uint64_t sequence = 0;  // of the conversation
  uint32_t step = 0;      // of its last answer
  // What the call's arguments point to; until the final answer.
  alignas(16) char copies[kCopiesSize];
  // What the last Run has left in the inbound payload; made when first used.
  std::unique_ptr<char[]> run_area;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SESSION_DESK_H_
