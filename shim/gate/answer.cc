#include "shim/gate/answer.h"

#include <linux/errno.h>

#include "shim/gate/fold.h"
#include "shim/gate/looks.h"
#include "shim/gate/overlay.h"
#include "shim/rewrite/mappings.h"
#include "shim/signal/interrupt.h"
#include "shim/view/fds.h"
#include "shim/view/hiding.h"
#include "shim/view/kernel_look.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// Native calls that are made here, beside those that may meet something hidden: results to be looked through; and,
// while the guest blocks SIGSYS, what may wait for a signal: guest context needs SIGSYS open, for dispatch, and would
// take one that the guest waits for by sigwait(3) or signalfd(2), or not take one that the call's own mask opens.
bool IsMadeHere(const ThreadBlock* block, Looks looks, const GuestCall& call) {
  return looks.Has(Look::kResult) || (looks.Has(Look::kMemory) && MapsText(call)) ||
         (block->blocks_sigsys && looks.Has(Look::kMayBlock));
}

}  // namespace

Outcome Act(ThreadBlock* block, const GuestCall& call, const Decision& decision) {
  const ActionCopy& action = decision.action;
  switch (action.verb) {
    case wire::ActionVerb::kConstant:
    case wire::ActionVerb::kDeny:
      return Outcome::Done(action.value);
    case wire::ActionVerb::kFold:
      return Outcome::Tail(FoldedCall(call, action));
    case wire::ActionVerb::kOverlay:
      return call.nr == Nr::uname ? UnameWithLook(call) : StatWithOverlay(block, call, decision.overlay);
    case wire::ActionVerb::kNone:
    case wire::ActionVerb::kAttempt:
      break;
  }
  return Outcome::Native();
}

bool Attempt(ThreadBlock* block, const GuestCall& asked, uint8_t asks, Outcome* outcome) {
  if (outcome->kind == Outcome::Kind::kNative || outcome->kind == Outcome::Kind::kTail) {
    // A signal comes first.
    if (block->has_interruption) return true;
    const int64_t result = PerformStep(block, outcome->kind == Outcome::Kind::kNative ? asked : outcome->call);
    if (result == kNotMade) return true;
    *outcome = Outcome::Done(result);
  }
  return !wire::Asks(asks, outcome->value);
}

void MakeHere(ThreadBlock* block, const GuestCall& asked, Outcome* outcome) {
  if (outcome->kind != Outcome::Kind::kNative && outcome->kind != Outcome::Kind::kTail) return;
  const GuestCall& call = outcome->kind == Outcome::Kind::kNative ? asked : outcome->call;
  if (block->has_interruption) return;
  const Looks looks = LooksOf(call.nr);
  const bool may_meet_hidden = MayMeetHidden(call);
  if (may_meet_hidden || IsMadeHere(block, looks, call)) {
    const int64_t result = may_meet_hidden ? PerformHiding(block, call) : PerformStep(block, call);
    if (result != kNotMade) *outcome = Outcome::Done(result);
  } else if (looks.Has(Look::kMemory)) {
    NoteMappings(block, call);
  }
}

}  // namespace guise::shim
