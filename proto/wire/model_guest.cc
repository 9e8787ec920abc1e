// The guest's side of the model, and the shared memory under both sides.
#include "proto/wire/doorbell.h"
#include "proto/wire/model_run.h"
#include "proto/wire/slot.h"

namespace guise::wire::model {

uint16_t Machine::Run::Load(uint8_t word) const {
  for (int i = self_.buffered; i-- > 0;) {
    if (self_.address[i] == word) return self_.value[i];
  }
  return state_.memory[word];
}

void Machine::Run::Store(uint8_t word, uint16_t value) {
  if (self_.buffered == kBufferSize) {  // a full buffer drains first; the programs never get here
    Blame(Flaw::kStuck);
    return;
  }
  self_.address[self_.buffered] = word;
  self_.value[self_.buffered] = value;
  ++self_.buffered;
}

bool Machine::Run::Drain() {
  if (Drained()) return false;
  const uint8_t word = self_.address[0];
  const uint16_t value = self_.value[0];
  --self_.buffered;
  for (int i = 0; i < self_.buffered; ++i) {
    self_.address[i] = self_.address[i + 1];
    self_.value[i] = self_.value[i + 1];
  }
  self_.address[self_.buffered] = 0;
  self_.value[self_.buffered] = 0;
  Commit(word, value);
  return true;
}

bool Machine::Run::Cut(int kept) {
  if (kept > self_.buffered) return false;
  for (int i = kept; i < self_.buffered; ++i) {
    self_.address[i] = 0;
    self_.value[i] = 0;
  }
  self_.buffered = static_cast<uint8_t>(kept);
  self_.asleep_on[0] = self_.asleep_on[1] = 0;
  self_.slot = self_.flags = 0;
  self_.owner = self_.sequence = self_.seen = self_.other = 0;
  return true;
}

void Machine::Run::Commit(uint8_t word, uint16_t value) {
  // The strand lies in the server's own memory, which died with it.
  if (word == kStrand && state_.threads[config_.guests].pc == kWorkerStart) return;
  if (word < kMaxSlots * kSlotWords) {
    const int slot = word / kSlotWords;
    const uint16_t sequence = state_.memory[At(slot, kSequence)];
    uint16_t& final = state_.final[slot];
    switch (word % kSlotWords) {
      case kLineA:
      case kLineB:
        if (sequence != 0 && (final >> sequence & 1) == 0) Blame(Flaw::kLineRewritten);
        break;
      case kAnswer: {
        const uint64_t of = SequenceOf(value);
        const bool closed = value == ClosedKey(of);
        if (value < state_.memory[word] || (!closed && (final >> of & 1) != 0)) Blame(Flaw::kAnsweredTwice);
        const bool run = (state_.memory[At(slot, kValue)] & 1) != 0;
        if (closed || !run) final = static_cast<uint16_t>(final | 1u << of);
        break;
      }
      default:
        break;
    }
  }
  state_.memory[word] = value;
}

void Machine::Run::Sleep(uint8_t word, uint16_t expected) {
  if (state_.memory[word] == expected) self_.asleep_on[0] = static_cast<uint8_t>(word + 1);
}

void Machine::Run::Wake(uint8_t word) {
  for (Thread& thread : state_.threads) {
    if (thread.asleep_on[0] != word + 1 && thread.asleep_on[1] != word + 1) continue;
    thread.asleep_on[0] = thread.asleep_on[1] = 0;
  }
}

void Machine::Run::BeginCall() {
  self_.slot = self_.flags = 0;
  self_.owner = self_.sequence = self_.seen = self_.other = 0;
  self_.pc = state_.calls_left[id_] == 0 ? kGuestDone : kGuestOwner;
}

void Machine::Run::EndCall() {
  --state_.calls_left[id_];
  BeginCall();
}

// The words of a call, the sequence last.
void Machine::Run::Post() {
  const uint16_t tag = TagOf(self_.sequence, id_);
  if (Is(kSequenceBeforeLine)) Store(Mine(kSequence), self_.sequence);
  Store(Mine(kLineA), tag);
  Store(Mine(kLineB), tag);
  if (!Is(kSequenceBeforeLine) && !Is(kPostBeforeSequence)) {
    Store(Mine(kSequence), self_.sequence);
  }
  self_.pc = Is(kWakeBeforePost) ? kGuestRung : kGuestPost;
}

void Machine::Run::AfterRing() {
  if (Is(kWakeBeforePost) && self_.pc != kGuestPost) {
    self_.pc = kGuestPost;
    return;
  }
  if (Is(kPostBeforeSequence) && !Flag(kStepTwo) && !Flag(kInterruptedCall) && !Flag(kAbandonedCall)) {
    Store(Mine(kSequence), self_.sequence);
  }
  if (Flag(kAbandonedCall)) {
    EndCall();
  } else {
    self_.pc = kGuestWait;
  }
}

void Machine::Run::ReadValue() {
  const uint16_t value = Load(Mine(kValue));
  if (value >> 1 != TagOf(self_.sequence, id_)) Blame(Flaw::kWrongAnswer);
  if ((value & 1) == 0) return;
  if (Flag(kStepTwo)) Blame(Flaw::kWrongAnswer);
  self_.pc = kGuestNative;
}

void Machine::Run::Free() {
  Store(Mine(kOwner), Is(kFreeForgetsGeneration) ? uint16_t{0} : Narrow(FreeOf(Wide(self_.owner))));
  Clear(kHolding);
  self_.pc = kGuestFreed;
}

bool Machine::Run::Guest(int choice) {
  if (choice != 0 || self_.asleep_on[0] != 0) return false;
  Thread& self = self_;
  switch (self.pc) {
    case kGuestOwner:
      self.owner = Load(Mine(kOwner));
      self.pc = kGuestReclaimed;
      return true;
    case kGuestReclaimed:
      if (!IsHeld(Wide(self.owner), Wide(Load(Mine(kReclaimed))))) {
        self.pc = Flag(kWaiting) ? kGuestWaitersDown : kGuestTake;
      } else if (self.slot + 1 < config_.slots) {
        ++self.slot;
        self.pc = kGuestOwner;
      } else {
        self.slot = 0;
        self.pc = Flag(kWaiting) ? kGuestWaitFull : kGuestWaitersUp;
      }
      if (self.pc != kGuestTake) self.owner = 0;
      return true;
    case kGuestTake: {
      if (!Drained()) return false;
      if (state_.memory[Mine(kOwner)] != self.owner) {
        self.owner = 0;
        self.pc = kGuestOwner;
        return true;
      }
      const uint64_t now = Wide(self.owner);
      self.owner = Narrow(Is(kTakeKeepsGeneration) ? Owner(GenerationOf(now), static_cast<uint32_t>(id_))
                                                   : NextOwner(now, static_cast<uint32_t>(id_)));
      Commit(Mine(kOwner), self.owner);
      for (int i = 0; i < config_.guests; ++i) {
        const Thread& other = state_.threads[i];
        if (i != id_ && (other.flags & kHolding) != 0 && other.slot == self.slot) Blame(Flaw::kHeldTwice);
      }
      Set(kHolding);
      self.pc = kGuestSequence;
      return true;
    }
    case kGuestSequence:
      self.sequence = static_cast<uint16_t>(Load(Mine(kSequence)) + 1);
      Post();
      return true;

    case kGuestPost: {
      if (!Drained()) return false;
      const bool toggled = Is(kToggledPosts);
      const auto bit = static_cast<uint16_t>(1u << 8 * self.slot);
      Commit(kPosts, static_cast<uint16_t>(toggled ? state_.memory[kPosts] ^ bit : state_.memory[kPosts] + bit));
      if (Is(kWakeBeforePost)) {
        AfterRing();
      } else {
        self.pc = Is(kRungOnlyWhenParked) ? kGuestParked : kGuestRung;
      }
      return true;
    }
    case kGuestRung:
      if (!Drained()) return false;
      if (!Is(kRungNotRaised)) Commit(kRung, static_cast<uint16_t>(state_.memory[kRung] + 1));
      self.pc = Is(kRungOnlyWhenParked) ? kGuestWakeBell : kGuestParked;
      return true;
    case kGuestParked:
      if (Load(kParked) != 0) {
        self.pc = Is(kRungOnlyWhenParked) ? kGuestRung : kGuestWakeBell;
      } else {
        AfterRing();
      }
      return true;
    case kGuestWakeBell:
      if (!Drained()) return false;
      Wake(kRung);
      AfterRing();
      return true;

    case kGuestWait: {
      const uint16_t answer = Load(Mine(kAnswer));
      if (answer != Key(self.sequence, Flag(kStepTwo) ? 2 : 1)) {
        self.seen = answer;
        self.pc = kGuestSleep;
      } else if (Is(kFreeBeforeReading)) {
        Free();
        self.pc = kGuestLateValue;
      } else {
        self.pc = kGuestValue;
      }
      return true;
    }
    case kGuestSleep:
      if (!Drained()) return false;
      Sleep(Mine(kAnswer), self.seen);
      self.seen = 0;
      self.pc = kGuestWait;
      return true;
    case kGuestValue:
      ReadValue();
      if (self.pc == kGuestValue) Free();
      return true;
    case kGuestLateValue:
      ReadValue();
      self.pc = kGuestFreed;
      return true;
    case kGuestNative: {
      const auto bit = static_cast<uint16_t>(1u << self.sequence);
      if ((state_.ran[self.slot] & bit) != 0) Blame(Flaw::kRanTwice);
      state_.ran[self.slot] = static_cast<uint16_t>(state_.ran[self.slot] | bit);
      const auto key = static_cast<uint16_t>(Key(self.sequence, 1));
      if (Is(kDoneBeforeResult)) Store(Mine(kDone), key);
      Store(Mine(kResult), TagOf(self.sequence, id_));
      if (!Is(kDoneBeforeResult)) Store(Mine(kDone), key);
      Set(kStepTwo);
      self.pc = Is(kWakeBeforePost) ? kGuestRung : kGuestPost;
      return true;
    }

    case kGuestFreed:
      if (!Drained() && !Is(kNoFreeFence)) return false;
      if (Load(kFullWaiters) != 0) {
        self.pc = kGuestRaise;
      } else {
        EndCall();
      }
      return true;
    case kGuestRaise:
      if (!Drained()) return false;
      Commit(kFull, static_cast<uint16_t>(state_.memory[kFull] + 1));
      self.pc = kGuestWakeFull;
      return true;
    case kGuestWakeFull:
      if (!Drained()) return false;
      Wake(kFull);
      EndCall();
      return true;

    case kGuestWaitersUp:
      if (!Drained()) return false;
      Commit(kFullWaiters, static_cast<uint16_t>(state_.memory[kFullWaiters] + 1));
      Set(kWaiting);
      self.pc = kGuestFullValue;
      return true;
    case kGuestFullValue:
      self.seen = Load(kFull);
      self.pc = kGuestReclaimsValue;
      return true;
    case kGuestReclaimsValue:
      self.other = Load(kReclaims);
      self.pc = kGuestOwner;
      return true;
    case kGuestWaitFull:
      if (!Drained()) return false;
      if (Is(kWaitOnFullOnly)) {
        Sleep(kFull, self.seen);
      } else if (state_.memory[kReclaims] == self.other && state_.memory[kFull] == self.seen) {
        self.asleep_on[0] = kFull + 1;
        self.asleep_on[1] = kReclaims + 1;
      }
      self.pc = kGuestWaitersDown;
      return true;
    case kGuestWaitersDown:
      if (!Drained()) return false;
      Commit(kFullWaiters, static_cast<uint16_t>(state_.memory[kFullWaiters] - 1));
      BeginCall();
      return true;
    default:
      return false;
  }
}

bool Machine::Run::Signal(bool abandon) {
  const bool waits = self_.pc == kGuestWait || self_.pc == kGuestSleep;
  if (state_.signals_left[id_] == 0 || (!waits && !(abandon && self_.pc == kGuestNative))) return false;
  --state_.signals_left[id_];
  self_.asleep_on[0] = 0;
  self_.seen = 0;
  const SlotState state = abandon ? SlotState::kAbandoned : SlotState::kInterrupted;
  Store(Mine(kState), static_cast<uint16_t>(StateWord(Wide(self_.owner), state)));
  Set(abandon ? kAbandonedCall : kInterruptedCall);
  if (abandon) Clear(kHolding);
  self_.pc = Is(kWakeBeforePost) ? kGuestRung : kGuestPost;
  return true;
}

}  // namespace guise::wire::model
