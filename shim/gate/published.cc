#include "shim/gate/published.h"

#include "shim/memories.h"
#include "shim/thread/records.h"

namespace guise::shim {
namespace {

// A writer is done within microseconds; after so many rounds it is worth asking whether there is one.
constexpr uint32_t kPatience = 1 << 16;

ActionCopy CopyAction(const wire::Action& action) {
  ActionCopy copy;
  copy.verb = static_cast<wire::ActionVerb>(action.verb.Relaxed());
  copy.count = action.count.Relaxed();
  for (int i = 0; i < 6; ++i) copy.from[i] = action.from[i].Relaxed();
  copy.nr = action.nr.Relaxed();
  copy.value = action.value.Relaxed();
  for (int i = 0; i < 4; ++i) copy.constants[i] = action.constants[i].Relaxed();
  return copy;
}

// REQUIRES: within a round of the sequence lock.
OverlayView CopyOverlayView(const wire::Published& page) {
  return {.offset = page.overlay_offset.Relaxed(),
          .old_offset = page.overlay_old_offset.Relaxed(),
          .log2 = page.overlay_log2.Relaxed(),
          .old_log2 = page.overlay_old_log2.Relaxed(),
          .maps_owner = (page.flags.Relaxed() & wire::kMapOwner) != 0,
          .owner_from = page.owner_from.Relaxed(),
          .owner_to = page.owner_to.Relaxed(),
          .group_from = page.group_from.Relaxed(),
          .group_to = page.group_to.Relaxed()};
}

}  // namespace

uint32_t CurrentEpoch() { return RootReply().published.epoch.Relaxed(); }

bool ServerAlive() { return RootReply().keeper.server_alive.Acquire() != 0; }

wire::OnLoss LossPolicy() { return static_cast<wire::OnLoss>(RootReply().published.on_loss.Relaxed()); }

Decision EnterGate(ThreadBlock* block, uint32_t nr) {
  const wire::ReplyGroup& root = RootReply();
  wire::ThreadRecord& record = RecordOf(block);
  for (uint32_t round = 1;; ++round) {
    const uint32_t sequence = root.published.sequence.Acquire();
    if ((sequence & 1) == 0) {
      Decision decision = {};
      decision.epoch = root.published.epoch.Relaxed();
      // Dekker with the drain: it sees this thread in the gate, or this thread sees the page that it published.
      record.in_gate.StoreRelaxed(decision.epoch);
      wire::FullFence();
      decision.placement = nr < wire::kTableNumbers ? static_cast<wire::Placement>(root.placement[nr].Relaxed())
                                                    : wire::Placement::kKernel;
      if (decision.placement == wire::Placement::kShim)
        decision.action = CopyAction(ActionAt(root.action[nr].Relaxed()));
      if (decision.action.verb == wire::ActionVerb::kOverlay) decision.overlay = CopyOverlayView(root.published);
      wire::AcquireFence();
      if (root.published.sequence.Relaxed() == sequence) return decision;
    }
    __builtin_ia32_pause();
    if (round % kPatience == 0 && !ServerAlive() && LossPolicy() != wire::OnLoss::kWait) {
      Decision decision = {};
      decision.epoch = root.published.epoch.Relaxed();
      if (LossPolicy() == wire::OnLoss::kFail) {
        decision.placement = wire::Placement::kShim;
        decision.action.verb = wire::ActionVerb::kDeny;
        decision.action.value = -EIO;
      }
      return decision;
    }
  }
}

void LeaveGate(ThreadBlock* block) { RecordOf(block).in_gate.Release(0); }

}  // namespace guise::shim
