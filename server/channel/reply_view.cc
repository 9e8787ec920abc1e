#include "server/channel/reply_view.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <optional>

#include "server/channel/futex.h"

namespace guise::server {
namespace {

void StoreAction(wire::Action& to, const ActionRow& from) {
  to.verb.StoreRelaxed(static_cast<uint8_t>(from.verb));
  to.count.StoreRelaxed(from.count);
  for (int i = 0; i < 6; ++i) to.from[i].StoreRelaxed(from.from[i]);
  to.nr.StoreRelaxed(from.nr);
  for (int i = 0; i < 2; ++i) to.differ[i].StoreRelaxed(from.differ[i]);
  to.asks.StoreRelaxed(from.asks);
  to.tested.StoreRelaxed(from.tested);
  if (from.verb == wire::ActionVerb::kFold) {
    for (int i = 0; i < 4; ++i) to.constants[i].StoreRelaxed(from.constants[i]);
  } else if (from.verb == wire::ActionVerb::kAttempt) {
    to.bits.StoreRelaxed(from.bits);
  } else {
    to.value.StoreRelaxed(from.value);
  }
}

// REQUIRES: `text` is shorter than the field.
void StoreText(wire::Cell<uint64_t> (&to)[wire::KernelLook::kText / 8], const std::string& text) {
  uint64_t words[wire::KernelLook::kText / 8] = {};
  std::memcpy(words, text.data(), text.size());
  for (size_t i = 0; i < wire::KernelLook::kText / 8; ++i) to[i].StoreRelaxed(words[i]);
}

// Of an argument of the old call, or a constant (Action::from); false: a constant that FoldSource has no word for.
bool AddSource(const ActionRow& action, uint32_t i, uint32_t* sources) {
  constexpr uint32_t kFirstConstant = 6;
  uint32_t source = action.from[i];
  if (source >= kFirstConstant) {
    const auto* const at = std::find(std::begin(wire::kFoldConstants), std::end(wire::kFoldConstants),
                                     action.constants[source - kFirstConstant]);
    if (at == std::end(wire::kFoldConstants)) return false;
    source = wire::kFoldArguments + static_cast<uint32_t>(at - std::begin(wire::kFoldConstants));
  }
  *sources |= source << (i * wire::kFoldBits);
  return true;
}

// See FoldSource; arguments that the new call does not have are 0.
std::optional<uint32_t> SourcesOf(const ActionRow& action) {
  static_assert(wire::kFoldConstants[0] == 0);
  uint32_t sources = 0;
  for (uint32_t i = 0; i < wire::kFoldArguments; ++i) {
    if (i >= action.count) {
      sources |= wire::kFoldArguments << (i * wire::kFoldBits);
    } else if (!AddSource(action, i, &sources)) {
      return std::nullopt;
    }
  }
  for (uint32_t i = 0; i < 2; ++i) {
    sources |= uint32_t{action.differ[i]} << ((wire::kFoldArguments + i) * wire::kFoldBits);
  }
  return sources;
}

// Whether guests make the call in the shim, also where nothing is claimed: it changes the memory map, or its result is
// looked through.
bool IsMadeInShim(uint32_t nr) {
  const syscall::Row* const row = syscall::Find(nr);
  return row == nullptr || row->Has(syscall::Trait::ChangesMemoryMap) || row->nr == syscall::Nr::getdents ||
         row->nr == syscall::Nr::getdents64;
}

// See DirectWord. Only values of 32 bits have room.
uint64_t DirectWordOf(const Tables& tables, uint32_t nr) {
  const wire::Placement placement = tables.placement[nr];
  const uint32_t counter = static_cast<uint32_t>(placement) * wire::kParities + tables.epoch % wire::kParities;
  wire::DirectWord word = {};
  word.counter = static_cast<uint8_t>(counter * sizeof(uint64_t));
  word.way = wire::DirectWay::kLook;
  if (placement == wire::Placement::kKernel) word.way = wire::DirectWay::kNative;
  if (placement == wire::Placement::kShim) {
    const ActionRow& action = tables.actions[tables.action[nr]];
    const bool is_value = action.verb == wire::ActionVerb::kConstant || action.verb == wire::ActionVerb::kDeny;
    if (is_value && static_cast<int32_t>(action.value) == action.value) {
      word.way = wire::DirectWay::kValue;
      word.value = static_cast<int32_t>(action.value);
    }
    if (action.verb == wire::ActionVerb::kAttempt && action.tested == 0 &&
        action.asks == static_cast<uint8_t>(wire::AskOn::kRefused)) {
      word.way = wire::DirectWay::kAttempt;
    }
    if (action.verb == wire::ActionVerb::kFold && action.asks == 0 && !IsMadeInShim(action.nr)) {
      if (const std::optional<uint32_t> sources = SourcesOf(action)) {
        word.way = wire::DirectWay::kFold;
        word.nr = static_cast<uint16_t>(action.nr);
        word.value = static_cast<int32_t>(*sources);
      }
    }
  }
  return std::bit_cast<uint64_t>(word);
}

}  // namespace

void ReplyView::Answer(uint32_t slot, uint64_t key, wire::Verb verb, uint32_t packed_nr, const uint64_t (&args)[6]) {
  wire::ReplyLine& line = Line(slot);
  line.verb.StoreRelaxed(static_cast<uint32_t>(verb));
  line.nr.StoreRelaxed(packed_nr);
  for (int i = 0; i < 6; ++i) line.args[i].StoreRelaxed(args[i]);
  line.answer.Release(key);
  Wake(slot);
}

void ReplyView::Wake(uint32_t slot) { FutexWakeAll(LowHalf(Line(slot).answer.Address())); }

void ReplyView::ReclaimSlot(uint32_t slot, uint64_t owner) {
  Group(slot / wire::kSlotsPerGroup).reclaimed_slots[slot % wire::kSlotsPerGroup].Release(owner);
}
void ReplyView::ReclaimThread(uint32_t thread, uint64_t owner) {
  Group(thread / wire::kThreadsPerGroup).reclaimed_threads[thread % wire::kThreadsPerGroup].Release(owner);
}
void ReplyView::ReclaimProcess(uint32_t process, uint64_t owner) {
  Group(process / wire::kProcessesPerGroup).reclaimed_processes[process % wire::kProcessesPerGroup].Release(owner);
}

void ReplyView::RaiseReclaims() {
  Group(0).reclaims.Add(1);
  FutexWakeAll(Group(0).reclaims.Address());
}

void ReplyView::Publish(const Tables& tables, uint32_t bells) {
  wire::ReplyGroup& group = Group(0);
  wire::Published& page = group.published;
  // SAFETY: the direct table is two pages at a page's offset.
  auto* direct = reinterpret_cast<wire::Cell<uint64_t>*>(base_ + wire::kDirectOffset);
  BeginPublishing();
  // Its words are read without the sequence lock. Who has been told of the new tables by one call must not be told of
  // the old ones by the next, so meanwhile all calls look at the page.
  for (uint32_t nr = 0; nr < wire::kTableNumbers; ++nr) {
    direct[nr].StoreRelaxed(static_cast<uint64_t>(wire::DirectWay::kLook));
  }
  page.epoch.StoreRelaxed(tables.epoch);
  page.on_loss.StoreRelaxed(static_cast<uint32_t>(tables.on_loss));
  page.bells_in_use.StoreRelaxed(bells);
  page.flags.StoreRelaxed(tables.flags);
  page.owner_from.StoreRelaxed(tables.owner_from);
  page.owner_to.StoreRelaxed(tables.owner_to);
  page.group_from.StoreRelaxed(tables.group_from);
  page.group_to.StoreRelaxed(tables.group_to);
  page.rewrite_after.StoreRelaxed(tables.rewrite_after);
  StoreText(group.kernel.release, tables.kernel_release);
  StoreText(group.kernel.version, tables.kernel_version);
  group.kernel.vsyscall.StoreRelaxed(tables.vsyscall);
  for (uint32_t nr = 0; nr < wire::kTableNumbers; ++nr) {
    group.placement[nr].StoreRelaxed(static_cast<uint8_t>(tables.placement[nr]));
    group.action[nr].StoreRelaxed(tables.action[nr]);
  }
  // SAFETY: the action table is one page at a page's offset.
  auto* actions = reinterpret_cast<wire::Action*>(base_ + wire::kActionsOffset);
  for (uint32_t i = 0; i < wire::kActions; ++i) StoreAction(actions[i], tables.actions[i]);
  EndPublishing();
  for (uint32_t nr = 0; nr < wire::kTableNumbers; ++nr) direct[nr].Release(DirectWordOf(tables, nr));
}

void ReplyView::Publish(const OverlayPlace& place) {
  wire::Published& page = Group(0).published;
  BeginPublishing();
  page.overlay_offset.StoreRelaxed(place.overlay_offset);
  page.overlay_old_offset.StoreRelaxed(place.overlay_old_offset);
  page.overlay_log2.StoreRelaxed(place.overlay_log2);
  page.overlay_old_log2.StoreRelaxed(place.overlay_old_log2);
  EndPublishing();
}

void ReplyView::BeginPublishing() {
  Group(0).published.sequence.StoreRelaxed(sequence_ + 1);
  wire::ReleaseFence();
}

void ReplyView::EndPublishing() {
  sequence_ += 2;
  Group(0).published.sequence.Release(sequence_);
}

}  // namespace guise::server
