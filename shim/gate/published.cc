#include "shim/gate/published.h"

#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/thread/records.h"

namespace guise::shim {
namespace {

// A writer is done within microseconds; after so many rounds it is worth asking whether there is one.
constexpr uint32_t kPatience = 1 << 16;

// Of the fields those that the verb has.
void CopyAction(const wire::Action& action, ActionCopy* copy) {
  copy->verb = static_cast<wire::ActionVerb>(action.verb.Relaxed());
  copy->asks = action.asks.Relaxed();
  if (copy->verb == wire::ActionVerb::kAttempt) {
    copy->tested = action.tested.Relaxed();
    copy->bits = action.bits.Relaxed();
    return;
  }
  if (copy->verb != wire::ActionVerb::kFold) {
    copy->value = action.value.Relaxed();
    return;
  }
  copy->count = action.count.Relaxed();
  for (int i = 0; i < 6; ++i) copy->from[i] = action.from[i].Relaxed();
  copy->nr = action.nr.Relaxed();
  for (int i = 0; i < 2; ++i) copy->differ[i] = action.differ[i].Relaxed();
  for (int i = 0; i < 4; ++i) copy->constants[i] = action.constants[i].Relaxed();
}

// Whether the server answers a call with these arguments.
bool IsServers(const GuestCall& call, const ActionCopy& action) {
  if (action.verb == wire::ActionVerb::kAttempt) {
    return action.tested != 0 && (call.args[(action.tested - 1) % 6] & action.bits) != 0;
  }
  if (action.verb != wire::ActionVerb::kFold || action.differ[0] == action.differ[1]) return false;
  const auto low = [&](int i) { return static_cast<uint32_t>(call.args[action.differ[i] % 6]); };
  return low(0) == low(1);
}

void CopyText(char (&to)[wire::KernelLook::kText], const wire::Cell<uint64_t> (&from)[wire::KernelLook::kText / 8]) {
  for (size_t i = 0; i < wire::KernelLook::kText / 8; ++i) {
    const uint64_t word = from[i].Relaxed();
    memcpy(to + i * 8, &word, 8);
  }
  to[wire::KernelLook::kText - 1] = 0;
}

// REQUIRES: within a round of the sequence lock.
OverlayView CopyOverlayView(const wire::Published& page) {
  return {.offset = page.overlay_offset.Relaxed(),
          .old_offset = page.overlay_old_offset.Relaxed(),
          .log2 = page.overlay_log2.Relaxed(),
          .old_log2 = page.overlay_old_log2.Relaxed(),
          .flags = page.flags.Relaxed(),
          .owner_from = page.owner_from.Relaxed(),
          .owner_to = page.owner_to.Relaxed(),
          .group_from = page.group_from.Relaxed(),
          .group_to = page.group_to.Relaxed()};
}

}  // namespace

uint32_t CurrentEpoch() { return RootReply().published.epoch.Relaxed(); }

bool ServerAlive() { return RootReply().keeper.server_alive.Acquire() != 0; }

wire::OnLoss LossPolicy() { return static_cast<wire::OnLoss>(RootReply().published.on_loss.Relaxed()); }

bool ReadKernelLook(KernelLookCopy* look) {
  const wire::ReplyGroup& root = RootReply();
  for (uint32_t round = 0; round < kPatience; ++round) {
    const uint32_t sequence = root.published.sequence.Acquire();
    const bool shown = (root.published.flags.Relaxed() & wire::kShowKernel) != 0;
    CopyText(look->release, root.kernel.release);
    CopyText(look->version, root.kernel.version);
    wire::AcquireFence();
    if ((sequence & 1) == 0 && root.published.sequence.Relaxed() == sequence) return shown;
    __builtin_ia32_pause();
  }
  return false;
}

uint64_t VsyscallPage() { return RootReply().kernel.vsyscall.Relaxed(); }

Decision EnterGate(ThreadBlock* block, const GuestCall& call) {
  const wire::ReplyGroup& root = RootReply();
  const auto nr = static_cast<uint32_t>(call.nr);
  wire::ThreadRecord& record = RecordOf(block);
  for (uint32_t round = 1;; ++round) {
    const uint32_t sequence = root.published.sequence.Acquire();
    if ((sequence & 1) == 0) {
      Decision decision;
      decision.epoch = root.published.epoch.Relaxed();
      // Dekker with the drain: it sees this thread in the gate, or this thread sees the page that it published.
      record.in_gate.StoreFull(decision.epoch);
      decision.placement = nr < wire::kTableNumbers ? static_cast<wire::Placement>(root.placement[nr].Relaxed())
                                                    : wire::Placement::kKernel;
      decision.action.verb = wire::ActionVerb::kNone;
      decision.action.asks = 0;
      if (decision.placement == wire::Placement::kShim)
        CopyAction(ActionAt(root.action[nr].Relaxed()), &decision.action);
      if (decision.action.verb == wire::ActionVerb::kOverlay) decision.overlay = CopyOverlayView(root.published);
      if (IsServers(call, decision.action)) decision.placement = wire::Placement::kServer;
      wire::AcquireFence();
      if (root.published.sequence.Relaxed() == sequence) return decision;
    }
    __builtin_ia32_pause();
    if (round % kPatience == 0 && !ServerAlive() && LossPolicy() != wire::OnLoss::kWait) {
      Decision decision;
      decision.epoch = root.published.epoch.Relaxed();
      decision.placement = wire::Placement::kKernel;
      decision.action.verb = wire::ActionVerb::kNone;
      decision.action.asks = 0;
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
