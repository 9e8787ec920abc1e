#include "server/stack/action_row.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace guise::server {

using api::Claim;
using wire::ActionVerb;

ActionRow ValueAction(ActionVerb verb, int64_t value) {
  ActionRow row;
  row.verb = verb;
  row.value = value;
  return row;
}

ActionRow FoldAction(const api::Folding& folding) {
  ActionRow row;
  row.verb = ActionVerb::kFold;
  row.count = folding.count;
  row.nr = folding.nr;
  std::copy(std::begin(folding.from), std::end(folding.from), row.from);
  static_assert(sizeof(row.constants) == sizeof(folding.constants));
  std::copy(std::begin(folding.constants), std::end(folding.constants), row.constants);
  std::copy(std::begin(folding.differ), std::end(folding.differ), row.differ);
  return row;
}

ActionRow TestAction(const Claim& claim) {
  ActionRow row;
  row.verb = ActionVerb::kAttempt;
  row.tested = static_cast<uint8_t>(claim.tested + 1);
  row.bits = claim.bits;
  return row;
}

bool Same(const ActionRow& a, const ActionRow& b) {
  return a.verb == b.verb && a.count == b.count && a.nr == b.nr && std::memcmp(a.from, b.from, sizeof(a.from)) == 0 &&
         std::memcmp(a.differ, b.differ, sizeof(a.differ)) == 0 && a.asks == b.asks && a.tested == b.tested &&
         a.bits == b.bits && std::memcmp(a.constants, b.constants, sizeof(a.constants)) == 0;
}

uint8_t AskOnOf(api::AskOn ask_on) {
  switch (ask_on) {
    case api::AskOn::kRefused:
      return static_cast<uint8_t>(wire::AskOn::kRefused);
    case api::AskOn::kInvalid:
      return static_cast<uint8_t>(wire::AskOn::kInvalid);
  }
  return 0;
}

}  // namespace guise::server
