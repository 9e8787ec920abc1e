// The state of the model: shared words, store buffers, threads, and what the properties need to remember.
#ifndef GUISE_PROTO_WIRE_MODEL_STATE_H_
#define GUISE_PROTO_WIRE_MODEL_STATE_H_

#include <cstdint>

#include "proto/wire/model.h"

namespace guise::wire::model {

// Words of a slot, then words of the session. `line` is two words, so that tearing shows.
enum SlotWord : uint8_t {
  kSequence,
  kLineA,
  kLineB,
  kState,
  kDone,
  kResult,
  kOwner,  // guests write
  kValue,
  kAnswer,
  kReclaimed,  // the server writes
  kSlotWords,
};
enum SessionWord : uint8_t {
  kPosts = kMaxSlots * kSlotWords,
  kRung,
  kFull,
  kFullWaiters,  // guests write
  kParked,
  kReclaims,  // the server writes
  kStrand,    // inside the server
  kWords,
};
constexpr uint8_t At(int slot, SlotWord word) { return static_cast<uint8_t>(slot * kSlotWords + word); }

enum Pc : uint8_t {
  // Guest.
  kGuestOwner,
  kGuestReclaimed,
  kGuestTake,
  kGuestSequence,
  kGuestPost,
  kGuestRung,
  kGuestParked,
  kGuestWakeBell,
  kGuestWait,
  kGuestSleep,
  kGuestValue,
  kGuestNative,
  kGuestFreed,
  kGuestRaise,
  kGuestWakeFull,
  kGuestLateValue,
  kGuestWaitersUp,
  kGuestFullValue,
  kGuestReclaimsValue,
  kGuestWaitFull,
  kGuestWaitersDown,
  kGuestDone,
  kGuestDead,
  // Worker.
  kWorkerStart,
  kWorkerStartWake,
  kWorkerTop,
  kWorkerAwake,
  kWorkerScan,
  kWorkerLateRung,
  kWorkerSleep,
  kWorkerLock,
  kWorkerClaim,
  kWorkerOwner,
  kWorkerState,
  kWorkerSequence,
  kWorkerDone,
  kWorkerHolder,
  kWorkerLineA,
  kWorkerLineB,
  kWorkerResult,
  kWorkerWakeAnswer,
  kWorkerWakeReclaims,
  kWorkerLatePosts,
  // Reactor.
  kReactorIdle,
  kReactorOwner,
  kReactorSequence,
  kReactorWake,
};

enum GuestFlag : uint8_t { kWaiting = 1, kHolding = 2, kInterruptedCall = 4, kAbandonedCall = 8, kStepTwo = 16 };

struct Thread {
  uint8_t pc;
  uint8_t asleep_on[2];  // word + 1
  uint8_t slot;
  uint8_t
      flags;  // guests: GuestFlag; worker: slots to look at; reactor: 1 + the guest that died, 16: reclaimed something
  uint8_t buffered;
  uint8_t address[kBufferSize];
  uint16_t value[kBufferSize];
  uint16_t owner;
  uint16_t sequence;
  uint16_t seen;   // the futex value, or the line's first word
  uint16_t other;  // the second futex value, or the state
};

struct State {
  uint16_t memory[kWords];
  Thread threads[kMaxThreads];  // guests, worker, reactor
  uint16_t posts_seen;          // inside the server
  uint16_t held[kMaxSlots];     // inside the server: tag of the call whose handler waits
  // Memory of the properties, by sequence.
  uint16_t served[kMaxSlots], ran[kMaxSlots], final[kMaxSlots];
  uint8_t calls_left[kMaxGuests], signals_left[kMaxGuests];
  uint8_t dead[kMaxGuests];  // 1: not yet heard of, 2: handled
  uint8_t deaths_left, server_deaths_left;
  Flaw flaw;
};

struct Transition {
  enum Kind : uint8_t { kStep, kDrain, kSignal, kRespawn, kDie, kServerDie } kind;
  uint8_t thread;
  uint8_t choice;
};

// Applies `transition` to `state`; false, and the state is as it was, when it cannot happen.
class Machine {
 public:
  explicit Machine(const Config& config) : config_(config) {}

  State Start() const;
  bool Apply(State& state, Transition transition) const;
  // Called when nothing but deaths can happen.
  Flaw AtRest(const State& state) const;
  // All that might happen in some state; Apply says what can.
  std::vector<Transition> Transitions() const;
  // A signal moves things on only when the call waits for it.
  bool IsProgress(const State& state, Transition transition) const;
  std::string Describe(const State& before, Transition transition) const;

 private:
  class Run;
  Config config_;
};

}  // namespace guise::wire::model

#endif  // GUISE_PROTO_WIRE_MODEL_STATE_H_
