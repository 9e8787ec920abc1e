// A model of slot, doorbell and reclaiming, small enough to walk through every interleaving of it.
//
// Guests, one worker and one reactor (the server's thread that hears of deaths) run the protocol of slot.h, doorbell.h
// and request.h as programs whose steps are single operations on shared words. Stores go through a buffer per thread
// that drains in order at any later time, and locked operations, fences and futex calls wait until it is empty: that is
// x86-TSO, and draining at once gives sequential consistency as a special case. The words that decide are computed by
// the headers' own functions (TurnOf, IsHeld, NextOwner, FreeOf, ClosedKey, StateOf, PostedSince).
//
// Why a depth-first walk of own make: it needs no tool that a reader would have to learn, and a wrong protocol is shown
// as the list of steps that breaks it.
//
// What is cut: payloads are one word, a conversation has one Run at most, and there is one group and one bell.
#ifndef GUISE_PROTO_WIRE_MODEL_H_
#define GUISE_PROTO_WIRE_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

namespace guise::wire::model {

inline constexpr int kMaxGuests = 3;
inline constexpr int kMaxSlots = 2;
inline constexpr int kMaxThreads = kMaxGuests + 2;
inline constexpr int kBufferSize = 6;

// What is done otherwise than the headers say: bits. All but the two marked sound must be caught, or the model proves
// nothing.
enum Mutation : uint32_t {
  kNoParkFence = 1u << 0,               // worker: no fence between parked and the rescan
  kParkAfterRescan = 1u << 1,           // worker: parked is set after the rescan
  kRungReadAfterRescan = 1u << 2,       // worker: the value to wait on is read after the rescan
  kWakeBeforePost = 1u << 3,            // guest: rings and looks at parked, then posts
  kPostBeforeSequence = 1u << 4,        // guest: posts and rings, then stores the sequence
  kRungNotRaised = 1u << 5,             // guest: wakes without changing rung
  kRungOnlyWhenParked = 1u << 6,        // guest: raises rung only for a parked worker (sound)
  kSequenceBeforeLine = 1u << 7,        // guest: the sequence is stored before the request line
  kDoneBeforeResult = 1u << 8,          // guest: done is stored before the result
  kAnswerBeforeValue = 1u << 9,         // server: the answer is stored before the reply line
  kNoAnswerWake = 1u << 10,             // server: answers without a wake
  kToggledPosts = 1u << 11,             // posts are toggled bits
  kTakenAsSeen = 1u << 12,              // server: reclaiming takes the slot's post as seen (sound)
  kReclaimWithoutClosing = 1u << 13,    // server: reclaims and leaves the answer as it is
  kReclaimBeforeClosing = 1u << 14,     // server: reclaimed before answer
  kFreeForgetsGeneration = 1u << 15,    // guest: owner := 0
  kTakeKeepsGeneration = 1u << 16,      // guest: takes without raising the generation
  kFreeBeforeReading = 1u << 17,        // guest: frees, then reads the reply line
  kNoFreeFence = 1u << 18,              // guest: no fence between owner and full_waiters
  kWaitOnFullOnly = 1u << 19,           // guest: does not wait on reclaims
  kDeathAloneRaisesNothing = 1u << 20,  // server: raises reclaims only when it reclaimed something
  kStateWithoutHolding = 1u << 21,      // server: believes a state whatever holding it names
  kStartLooksBeforePosts = 1u << 22,    // successor: looks at the slots, then reads posts
  kStartWakesNobody = 1u << 23,         // successor: wakes no answer
  kHolderReadFirst = 1u << 24,          // server: whose call it is was read before the sequence
};

struct Config {
  int guests = 2;
  int slots = 1;
  int calls[kMaxGuests] = {};
  int deaths = 0;        // of guests, in all
  bool respawn = false;  // a dead guest's thread record is taken again, after its death was handled
  int signals = 0;       // a guest: each interrupts or abandons a waiting call
  bool abandon = false;
  bool runs = true;  // the server may ask for a Run
  int server_deaths = 0;
  uint32_t mutations = 0;
};

enum class Flaw : uint8_t {
  kNone,
  kStuck,          // somebody waits and nothing can move
  kSlotLost,       // all is over and a slot is still held
  kWrongAnswer,    // a guest took an answer that was not its own
  kServedTwice,    // a call began twice
  kAnsweredTwice,  // a second final answer, or an answer that goes back
  kRanTwice,       // a (sequence, step) ran twice
  kTornLine,       // the server read a request line that was not the call's
  kStaleResult,    // the server took a result that was not the step's
  kLineRewritten,  // a request line changed while its call was unanswered
  kHeldTwice,      // two guests hold one slot
  kWrongHolder,    // the server took a call for another guest's
};
std::string Name(Flaw flaw);

struct Result {
  Flaw flaw = Flaw::kNone;
  uint64_t states = 0;
  uint64_t ends = 0;               // states in which all is over
  std::vector<std::string> trace;  // the steps to the flaw
};

// Walks all interleavings, or until the first flaw. States are told apart by a 64-bit hash: with 10^7 of them the
// chance that one is overlooked is 3 in 10^6.
Result Explore(const Config& config);

}  // namespace guise::wire::model

#endif  // GUISE_PROTO_WIRE_MODEL_H_
