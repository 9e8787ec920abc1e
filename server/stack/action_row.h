// Rows of the action table, as an epoch has them.
#ifndef GUISE_SERVER_STACK_ACTION_ROW_H_
#define GUISE_SERVER_STACK_ACTION_ROW_H_

#include <cstdint>

#include "personalities/api/claims.h"
#include "proto/wire/published.h"

namespace guise::server {

// As a plain value; wire::Action holds the same in Cells.
struct ActionRow {
  wire::ActionVerb verb = wire::ActionVerb::kNone;
  uint8_t count = 0;
  uint8_t from[6] = {};
  uint32_t nr = 0;
  uint8_t differ[2] = {};
  uint8_t asks = 0;    // wire::AskOn: errors of the kernel's in whose place the server answers
  uint8_t tested = 0;  // kAttempt: 1 + an argument; calls with any of `bits` in it the server answers; 0: none
  uint32_t bits = 0;   // kAttempt
  union {
    int32_t constants[4] = {};
    int64_t value;
  };
};

ActionRow ValueAction(wire::ActionVerb verb, int64_t value);
ActionRow FoldAction(const api::Folding& folding);
// Of a Serve claim with bits: natively, where none of them is set.
ActionRow TestAction(const api::Claim& claim);
// What an attempt adds to `asks`.
uint8_t AskOnOf(api::AskOn ask_on);

bool Same(const ActionRow& a, const ActionRow& b);

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_ACTION_ROW_H_
