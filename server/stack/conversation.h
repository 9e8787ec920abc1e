// A conversation: the server's half of one reflected call, from the call to its final answer.
//
//   Answer answer = conversation.Begin(epoch, call, outbound);
//   while (answer.verb == wire::Verb::kRun) {
//     ... send the answer; the guest does the native call; take its result and copy the run area once ...
//     answer = conversation.Step(result, run_area);
//   }
//   ... send the answer: kReturn or kTail; the conversation is over and can be begun again ...
//
// State changes are committed to the store (wire/store.h) before the final answer is returned, and each Run's result is
// logged before it is used, so a caller that sends what it gets keeps the order that recovery needs.
//
// Thread safety: none; the session's strand calls it. What is read from guests is copied by the caller: nothing here
// looks at request memory.
#ifndef GUISE_SERVER_STACK_CONVERSATION_H_
#define GUISE_SERVER_STACK_CONVERSATION_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/types/span.h"
#include "proto/wire/slot.h"
#include "server/stack/epoch.h"
#include "server/stack/session_parts.h"

namespace guise::server {

// A call, copied once from request memory and checked. Copied by Begin(); `copies` must live until the final answer.
struct CallCopy {
  uint32_t slot = 0;
  uint64_t sequence = 0;
  uint32_t nr = 0;
  uint32_t epoch = 0;
  uint64_t args[6] = {};
  // Copies of what arguments point to; data() == nullptr: not copied. Of a Path or Str: without its NUL, none inside.
  std::string_view copies[6] = {};
  uint32_t thread = 0;
  uint32_t process = 0;  // record
  uint32_t process_generation = 0;
  pid_t pid = 0;
};

// What to put into the reply line.
struct Answer {
  wire::Verb verb = wire::Verb::kNone;
  uint32_t nr = 0;     // of kRun, kTail
  uint32_t flags = 0;  // wire::ArgFlag of each argument, two bits each: wire::PackNr(nr, flags)
  // kRun, kTail: arguments. kReturn: args[0] is the result, args[1..5] are wire::CopyOut words or 0.
  uint64_t args[6] = {};
};

class Conversation {
 public:
  // One a slot, made when the slot is first used, reused for each of its calls.
  // REQUIRES: `parts` outlives this.
  Conversation(uint32_t slot, SessionParts& parts);
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // Starts the call. `outbound`: the slot's outbound payload, kPayloadSize bytes, written until the final answer.
  // A call that the epoch does not claim is answered with Tail(nr, args): its placement was read before another epoch.
  // REQUIRES: !running().
  Answer Begin(std::shared_ptr<const Epoch> epoch, const CallCopy& call, absl::Span<char> outbound);

  // Goes on with the result of the Run that was answered last. `run_area`: the server's own copy of the inbound payload
  // from wire::kRunAreaOffset, at least run_area_used() bytes; must live until the next Step or the final answer.
  // REQUIRES: running().
  Answer Step(uint64_t result, absl::Span<const char> run_area);

  // Bytes of the run area that Step() wants to see.
  size_t run_area_used() const;
  // A Run has been answered and its result is awaited.
  bool running() const;

  // The guest died, or its slot was reclaimed: destroys the handlers. State changes that were not committed are lost.
  void Cancel();

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_CONVERSATION_H_
