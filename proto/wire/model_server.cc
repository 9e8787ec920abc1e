// The server's side of the model: a worker that parks and serves, and a reactor that hears of deaths.
#include "proto/wire/doorbell.h"
#include "proto/wire/model_run.h"
#include "proto/wire/slot.h"

namespace guise::wire::model {
namespace {

uint16_t Counted(uint16_t posts, uint16_t seen, bool toggled) {
  if (!toggled) return static_cast<uint16_t>(PostedSince(posts, seen));
  const int changed = posts ^ seen;
  return static_cast<uint16_t>((changed & 1) | (changed >> 8 & 1) << 1);
}

}  // namespace

// Notes rung's value and parks.
void Machine::Run::Top() {
  if (!Is(kRungReadAfterRescan)) self_.seen = Load(kRung);
  if (!Is(kParkAfterRescan)) Store(kParked, 1);
  self_.pc = kWorkerScan;
}

void Machine::Run::Claim(uint16_t slots) {
  self_.flags = static_cast<uint8_t>(slots);
  self_.slot = 0;
  self_.seen = 0;
  NextSlot();
}

// To the next slot to look at, or gives the strand back and parks.
bool Machine::Run::NextSlot() {
  self_.owner = self_.sequence = self_.other = self_.seen = 0;
  for (int i = 0; i < config_.slots; ++i) {
    if ((self_.flags >> i & 1) == 0) continue;
    self_.flags = static_cast<uint8_t>(self_.flags & ~(1u << i));
    self_.slot = static_cast<uint8_t>(i);
    self_.pc = kWorkerOwner;
    return true;
  }
  self_.slot = 0;
  if ((self_.flags & 0x80) != 0) {
    self_.pc = kWorkerLatePosts;
    return true;
  }
  Store(kStrand, 0);
  self_.pc = kWorkerTop;
  return true;
}

void Machine::Run::Answer(uint32_t step, uint16_t tag, bool run) {
  const auto value = static_cast<uint16_t>(tag << 1 | (run ? 1 : 0));
  const auto key = static_cast<uint16_t>(Key(self_.sequence, step));
  if (Is(kAnswerBeforeValue)) Store(Mine(kAnswer), key);
  Store(Mine(kValue), value);
  if (!Is(kAnswerBeforeValue)) Store(Mine(kAnswer), key);
  state_.held[self_.slot] = 0;
  self_.pc = kWorkerWakeAnswer;
}

// Owner and sequence were read, and cannot change: the holder is gone.
void Machine::Run::Reclaim() {
  if (Is(kReclaimBeforeClosing)) Store(Mine(kReclaimed), self_.owner);
  if (!Is(kReclaimWithoutClosing)) {
    Store(Mine(kAnswer), static_cast<uint16_t>(ClosedKey(self_.sequence)));
  }
  state_.held[self_.slot] = 0;
  if (Is(kTakenAsSeen)) {
    const int byte = 0xff << 8 * self_.slot;
    state_.posts_seen = static_cast<uint16_t>((state_.posts_seen & ~byte) | (state_.memory[kPosts] & byte));
  }
  if (!Is(kReclaimBeforeClosing)) Store(Mine(kReclaimed), self_.owner);
}

void Machine::Run::RaiseReclaims() { Store(kReclaims, static_cast<uint16_t>(Load(kReclaims) + 1)); }

bool Machine::Run::Worker(int choice) {
  if (self_.asleep_on[0] != 0) return false;
  Thread& self = self_;
  if (choice != 0 && self.pc != kWorkerLineB) return false;
  switch (self.pc) {
    case kWorkerStart: {
      // The successor learns of the death through a pidfd: the dead server's stores are all in memory.
      if (!Drained() || state_.threads[config_.guests + 1].buffered != 0) return false;
      state_.memory[kStrand] = 1;
      self.flags = static_cast<uint8_t>((1u << config_.slots) - 1);
      if (Is(kStartLooksBeforePosts)) {
        self.flags |= 0x80;
      } else {
        state_.posts_seen = Load(kPosts);
      }
      RaiseReclaims();
      self.pc = kWorkerStartWake;
      return true;
    }
    case kWorkerStartWake:
      if (!Drained()) return false;
      if (!Is(kStartWakesNobody)) {
        for (int i = 0; i < config_.slots; ++i) Wake(At(i, kAnswer));
      }
      Wake(kReclaims);
      return NextSlot();
    case kWorkerLatePosts:
      state_.posts_seen = Load(kPosts);
      self.flags = 0;
      return NextSlot();

    case kWorkerAwake:
      Store(kParked, 0);
      Top();
      return true;
    case kWorkerTop:
      Top();
      return true;
    case kWorkerScan:
      if (!Drained() && !Is(kNoParkFence)) return false;
      if (Load(kPosts) != state_.posts_seen) {
        Store(kParked, 0);
        self.seen = 0;
        self.pc = kWorkerLock;
        return true;
      }
      if (Is(kParkAfterRescan)) Store(kParked, 1);
      self.pc = Is(kRungReadAfterRescan) ? kWorkerLateRung : kWorkerSleep;
      return true;
    case kWorkerLateRung:
      self.seen = Load(kRung);
      self.pc = kWorkerSleep;
      return true;
    case kWorkerSleep:
      if (!Drained()) return false;
      Sleep(kRung, self.seen);
      self.seen = 0;
      self.pc = kWorkerAwake;
      return true;

    case kWorkerLock:
      if (!Drained() || state_.memory[kStrand] != 0) return false;
      state_.memory[kStrand] = 1;
      self.pc = kWorkerClaim;
      return true;
    case kWorkerClaim: {
      const uint16_t posts = Load(kPosts);
      const bool toggled = Is(kToggledPosts);
      const uint16_t slots = Counted(posts, state_.posts_seen, toggled);
      state_.posts_seen = posts;
      Claim(slots);
      return true;
    }

    case kWorkerOwner:
      self.owner = Load(Mine(kOwner));
      self.pc = kWorkerState;
      return true;
    case kWorkerState: {
      const uint16_t word = Load(Mine(kState));
      const SlotState state =
          Is(kStateWithoutHolding) ? static_cast<SlotState>(word & 3) : StateOf(word, Wide(self.owner));
      const bool held = IsHeld(Wide(self.owner), Wide(Load(Mine(kReclaimed))));
      self.other = static_cast<uint16_t>(held ? state : SlotState::kTaken);
      self.pc = kWorkerSequence;
      return true;
    }
    case kWorkerSequence:
      self.sequence = Load(Mine(kSequence));
      if (self.other != static_cast<uint16_t>(SlotState::kAbandoned)) {
        self.pc = kWorkerDone;
        return true;
      }
      Reclaim();
      RaiseReclaims();
      self.pc = kWorkerWakeReclaims;
      return true;
    case kWorkerDone:
      Look();
      return true;
    case kWorkerHolder:
      self.owner = Load(Mine(kOwner));
      self.pc = kWorkerLineA;
      return true;
    case kWorkerLineA:
      self.seen = Load(Mine(kLineA));
      self.pc = kWorkerLineB;
      return true;
    case kWorkerLineB: {
      const uint16_t tag = self.seen;
      const int guest = (tag & 3) - 1;
      const bool may_signal = guest >= 0 && guest < config_.guests && state_.signals_left[guest] != 0;
      if (choice == 1 && !config_.runs) return false;
      if (choice == 2 && (!may_signal || self.other == static_cast<uint16_t>(SlotState::kInterrupted))) return false;
      if (choice > 2) return false;
      if (Load(Mine(kLineB)) != tag || tag >> 2 != self.sequence) Blame(Flaw::kTornLine);
      if (HolderOf(Wide(self.owner)) + 1 != (tag & 3u)) Blame(Flaw::kWrongHolder);
      // A successor begins calls again that its predecessor had begun; nobody else may.
      const auto bit = static_cast<uint16_t>(1u << self.sequence);
      if ((state_.served[self.slot] & bit) != 0 && config_.server_deaths == 0) Blame(Flaw::kServedTwice);
      state_.served[self.slot] = static_cast<uint16_t>(state_.served[self.slot] | bit);
      if (choice == 2) {
        state_.held[self.slot] = tag;
        return NextSlot();
      }
      Answer(1, tag, choice == 1);
      return true;
    }
    case kWorkerResult: {
      const uint16_t tag = Load(Mine(kResult));
      if (tag >> 2 != self.sequence) Blame(Flaw::kStaleResult);
      Answer(2, tag, false);
      return true;
    }
    case kWorkerWakeAnswer:
      if (!Drained()) return false;
      if (!Is(kNoAnswerWake)) Wake(Mine(kAnswer));
      return NextSlot();
    case kWorkerWakeReclaims:
      if (!Drained()) return false;
      Wake(kReclaims);
      return NextSlot();
    default:
      return false;
  }
}

void Machine::Run::Look() {
  const uint16_t answer = Load(Mine(kAnswer));
  const uint16_t held = state_.held[self_.slot];
  switch (TurnOf(self_.sequence, Load(Mine(kDone)), answer)) {
    case Turn::kCall:
      if (held >> 2 != self_.sequence) {
        self_.pc = Is(kHolderReadFirst) ? kWorkerLineA : kWorkerHolder;
        return;
      }
      if (self_.other == static_cast<uint16_t>(SlotState::kInterrupted)) {
        Answer(1, held, false);
        return;
      }
      break;
    case Turn::kStep:
      self_.pc = kWorkerResult;
      return;
    case Turn::kNothing:
      break;
  }
  NextSlot();
}

bool Machine::Run::NextReactorSlot() {
  self_.owner = self_.sequence = 0;
  if (self_.slot + 1 < config_.slots) {
    ++self_.slot;
    self_.pc = kReactorOwner;
    return true;
  }
  if (!Is(kDeathAloneRaisesNothing) || (self_.flags & 16) != 0) RaiseReclaims();
  Store(kStrand, 0);
  self_.slot = 0;
  self_.pc = kReactorWake;
  return true;
}

bool Machine::Run::Reactor() {
  Thread& self = self_;
  switch (self.pc) {
    case kReactorIdle:
      for (int i = 0; i < config_.guests; ++i) {
        // A pidfd tells of a death when all that the thread stored is in memory.
        if (state_.dead[i] != 1 || state_.threads[i].buffered != 0) continue;
        if (!Drained() || state_.memory[kStrand] != 0) return false;
        state_.memory[kStrand] = 1;
        self.flags = static_cast<uint8_t>(i + 1);
        self.slot = 0;
        self.pc = kReactorOwner;
        return true;
      }
      return false;
    case kReactorOwner:
      self.owner = Load(Mine(kOwner));
      if (IsHeld(Wide(self.owner), Wide(Load(Mine(kReclaimed)))) &&
          HolderOf(Wide(self.owner)) + 1 == (self.flags & 15u)) {
        self.flags |= 16;
        self.pc = kReactorSequence;
        return true;
      }
      return NextReactorSlot();
    case kReactorSequence:
      self.sequence = Load(Mine(kSequence));
      Reclaim();
      return NextReactorSlot();
    case kReactorWake:
      if (!Drained()) return false;
      if (!Is(kDeathAloneRaisesNothing) || (self.flags & 16) != 0) Wake(kReclaims);
      state_.dead[(self.flags & 15) - 1] = 2;
      self.flags = 0;
      self.pc = kReactorIdle;
      return true;
    default:
      return false;
  }
}

}  // namespace guise::wire::model
