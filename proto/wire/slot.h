// A slot: one call in flight, a conversation between one guest thread and the server.
//
// Two lines in request memory (the guest writes, the server reads) and one in reply memory (the server writes, guests
// read). No word has two writers. A conversation is numbered by the slot's sequence; its answers by steps 1, 2, ...
// A key is both: sequence << 12 | step.
//
//   guest                                             server
//   take: owner: CAS from o to NextOwner(o, thread)   -
//   payload, nr, epoch, args; sequence := s (release),
//   s being one more than it was
//   ring (doorbell.h)                                 sees sequence s, answer's sequence != s: a new call
//                                                     verb, nr, args; answer := key(s, 1) (release); wake
//   sees answer == key(s, 1) (acquire)
//   kReturn: copies the reply out; free: owner := FreeOf(owner) (release), then request.h's rule for full_waiters
//   kTail:   free (after the native call when an argument lies in the payload); does (nr, args) natively; its result
//            is the call's
//   kRun:    begun := key; does (nr, args); result; done := key (release); ring
//                                                     sees done == answer: the step's result; answers key(s, 2), ...
//
// Invariants
//  1. The request line and the payload of the call do not change from sequence := s until a final verb (Return, Tail)
//     for s is seen: a successor of the server can replay the handler.
//  2. A guest runs a key at most once: `begun` is stored before, `done` after. begun != done and begun == answer means
//     that the native call is running, or that its thread died in it.
//  3. A slot is free when the low half of owner is 0 or owner == the reclaimed word of the slot in reply memory
//     (ReplyGroup): the server gives back what a dead guest held without writing request memory. Every take raises the
//     owner's generation and freeing keeps it, so that no owner word ever comes twice and `reclaimed` never frees a
//     later holding.
//  4. The sequence only grows, also from owner to owner.
//  5. Reclaiming (the holder is dead or has abandoned the slot): the conversation is dropped, answer := ClosedKey of
//     the slot's sequence (release), so that TurnOf says kNothing of what the holder left, and only then
//     reclaimed := owner (release). Done too early, the server would read a line that the next holder is writing.
//  6. A free slot's payload is the next holder's: whoever still needs it frees later.
#ifndef GUISE_PROTO_WIRE_SLOT_H_
#define GUISE_PROTO_WIRE_SLOT_H_

#include <stddef.h>
#include <stdint.h>

#include "proto/wire/cell.h"
#include "proto/wire/layout.h"

namespace guise::wire {

inline constexpr uint32_t kStepBits = 12;
inline constexpr uint32_t kMaxStep = (1u << kStepBits) - 1;
inline constexpr uint64_t kMaxSequence = (uint64_t{1} << (64 - kStepBits)) - 1;

// REQUIRES: sequence <= kMaxSequence, step <= kMaxStep.
constexpr uint64_t Key(uint64_t sequence, uint32_t step) { return sequence << kStepBits | step; }
constexpr uint64_t SequenceOf(uint64_t key) { return key >> kStepBits; }
constexpr uint32_t StepOf(uint64_t key) { return static_cast<uint32_t>(key & kMaxStep); }
// The answer of a conversation that nobody waits for any more. Real steps stay below it.
constexpr uint64_t ClosedKey(uint64_t sequence) { return Key(sequence, kMaxStep); }

// An owner word: who holds a slot or record. `holder` is a record, 0 among them, hence the + 1, or a pid.
constexpr uint64_t Owner(uint32_t generation, uint32_t holder) { return uint64_t{generation} << 32 | (holder + 1); }
constexpr uint32_t GenerationOf(uint64_t owner) { return static_cast<uint32_t>(owner >> 32); }
// The word that takes a slot or record whose word is `owner` now.
constexpr uint64_t NextOwner(uint64_t owner, uint32_t holder) { return Owner(GenerationOf(owner) + 1, holder); }
// The word that gives it back: the generation stays.
constexpr uint64_t FreeOf(uint64_t owner) { return owner >> 32 << 32; }
constexpr bool IsHeld(uint64_t owner, uint64_t reclaimed) {
  return static_cast<uint32_t>(owner) != 0 && owner != reclaimed;
}
// REQUIRES: IsHeld, or the low half is otherwise known to be non-zero.
constexpr uint32_t HolderOf(uint64_t owner) { return static_cast<uint32_t>(owner) - 1; }

enum class SlotState : uint32_t {
  kTaken = 0,
  kPosted = 1,
  kInterrupted = 2,  // a signal wants the thread; the server answers early where it can
  kAbandoned = 3,    // the guest has left and never touches the slot again; the server reclaims it
};

// The state word names the holding it speaks of, so that a state left by an earlier holder says nothing of this one; a
// call that is neither interrupted nor abandoned need not write it. A holder that keeps the slot for another call after
// an interrupted one stores kPosted before the sequence. The server reads the owner, then the state, then the sequence;
// whose call that is, says the owner read again after the sequence.
constexpr uint32_t StateWord(uint64_t owner, SlotState state) {
  return GenerationOf(owner) << 2 | static_cast<uint32_t>(state);
}
constexpr SlotState StateOf(uint32_t word, uint64_t owner) {
  return word >> 2 == (GenerationOf(owner) & 0x3fffffff) ? static_cast<SlotState>(word & 3) : SlotState::kTaken;
}

// Line A: the call as the guest made it. Shim writes, server reads; stable while the conversation lasts.
struct RequestLine {
  Cell<uint64_t> sequence;  // stored last, release
  Cell<uint32_t> nr;
  Cell<uint32_t> epoch;  // the epoch under which the shim read the placement
  Cell<uint64_t> args[6];
};
static_assert(sizeof(RequestLine) == kLineSize);

// Line B: results of Run steps, and who holds the slot. Shim writes, server reads.
struct RunLine {
  Cell<uint64_t> begun;      // key of the step that was begun last
  Cell<uint64_t> done;       // key of the step that was done last; release after `result` and its payload
  Cell<uint64_t> result;     // of `done`: value or -errno
  Cell<uint64_t> owner;      // Owner(generation, thread record); written by CAS among guests
  Cell<uint32_t> state;      // StateWord(owner, SlotState)
  Cell<uint32_t> thread;     // thread record of the caller
  Cell<uint16_t> copies[6];  // per argument: offset of its copy in the inbound payload + 1; 0: not copied
  uint8_t reserved[12];
};
static_assert(sizeof(RunLine) == kLineSize);

struct RequestSlot {
  RequestLine call;
  RunLine run;
};
static_assert(sizeof(RequestSlot) == 2 * kLineSize);

// The inbound payload has two halves: copies of the call's arguments, then room for results of Run steps.
inline constexpr uint64_t kRunAreaOffset = kPayloadSize / 2;

enum class Verb : uint32_t {
  kNone = 0,
  kReturn = 1,  // args[0] is the result: value or -errno; args[1..5] are CopyOut words or 0
  kRun = 2,     // do (nr, args) on this thread and report the result
  kTail = 3,    // do (nr, args) on this thread; its result is the call's; the conversation is over
};

// The server writes, guests read (read-only mapping).
struct ReplyLine {
  Cell<uint64_t> answer;  // Key(sequence, step); stored last, release; guests futex-wait on its low half
  Cell<uint32_t> verb;    // Verb
  Cell<uint32_t> nr;      // low 16 bits: number; high 16 bits: argument flags, see ArgFlag
  Cell<uint64_t> args[6];
};
static_assert(sizeof(ReplyLine) == kLineSize);

// How the shim reads args[i] of Run and Tail: two bits an argument in the high half of ReplyLine::nr.
enum class ArgFlag : uint32_t {
  kValue = 0,     // as it is
  kOutbound = 1,  // offset into this slot's outbound payload (reply memory, read-only)
  kInbound = 2,   // offset into this slot's inbound payload (request memory: room for results)
  kInOut = 3,     // an InOut: room for results, into which bytes of the outbound payload are copied first
};
constexpr uint32_t PackNr(uint32_t nr, uint32_t flags) { return (nr & 0xffff) | flags << 16; }
constexpr uint32_t NrOf(uint32_t packed) { return packed & 0xffff; }
constexpr ArgFlag FlagOf(uint32_t packed, uint32_t arg) { return static_cast<ArgFlag>(packed >> (16 + 2 * arg) & 3); }

// An argument that the call reads and writes.
constexpr uint64_t InOut(uint32_t inbound, uint32_t outbound, uint32_t length) {
  return uint64_t{length & 0xffff} << 48 | uint64_t{outbound & 0xffffff} << 24 | (inbound & 0xffffff);
}
constexpr uint32_t InOutInbound(uint64_t word) { return static_cast<uint32_t>(word) & 0xffffff; }
constexpr uint32_t InOutOutbound(uint64_t word) { return static_cast<uint32_t>(word >> 24) & 0xffffff; }
constexpr uint32_t InOutLength(uint64_t word) { return static_cast<uint32_t>(word >> 48); }

// A result that the shim copies to guest memory before it returns: `length` bytes of the outbound payload at `offset`
// go to the address in the call's argument `arg`. A bad address makes the call's result -EFAULT, unless the word has
// kCopyOutMayFail.
inline constexpr uint64_t kCopyOutMayFail = uint64_t{1} << 62;
constexpr uint64_t CopyOut(uint32_t arg, uint32_t offset, uint32_t length) {
  return uint64_t{1} << 63 | uint64_t{arg & 7} << 56 | uint64_t{offset & 0xffffff} << 32 | length;
}
constexpr bool IsCopyOut(uint64_t word) { return word >> 63 != 0; }
constexpr uint32_t CopyOutArg(uint64_t word) { return static_cast<uint32_t>(word >> 56) & 7; }
constexpr uint32_t CopyOutOffset(uint64_t word) { return static_cast<uint32_t>(word >> 32) & 0xffffff; }
constexpr uint32_t CopyOutLength(uint64_t word) { return static_cast<uint32_t>(word); }

// What the server has to do for a slot, from its three words alone. kCall while the conversation of `sequence` is under
// way already (its handler waits): nothing new. kStep does not look at the verb, which a server that died before its
// next answer may have overwritten; after a Return or Tail it is a guest's lie.
enum class Turn {
  kNothing,  // idle, or the guest is at work
  kCall,     // a new call waits
  kStep,     // the result of a Run waits
};
constexpr Turn TurnOf(uint64_t sequence, uint64_t done, uint64_t answer) {
  if (sequence > kMaxSequence) return Turn::kNothing;  // hostile: no key can answer it
  if (sequence != SequenceOf(answer)) return Turn::kCall;
  return StepOf(answer) != 0 && done == answer ? Turn::kStep : Turn::kNothing;
}

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_SLOT_H_
