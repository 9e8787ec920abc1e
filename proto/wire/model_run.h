// One step of one thread of the model: access to shared words, and the programs of guest, worker and reactor.
#ifndef GUISE_PROTO_WIRE_MODEL_RUN_H_
#define GUISE_PROTO_WIRE_MODEL_RUN_H_

#include <cstdint>

#include "proto/wire/model_state.h"

namespace guise::wire::model {

// Owner words are packed for the state; the headers' functions see real ones.
constexpr uint64_t Wide(uint16_t owner) { return uint64_t{owner} >> 4 << 32 | (owner & 15u); }
constexpr uint16_t Narrow(uint64_t owner) { return static_cast<uint16_t>(owner >> 32 << 4 | (owner & 15)); }

// What a request line, a result and a reply say: whose call it is.
constexpr uint16_t TagOf(uint16_t sequence, int guest) { return static_cast<uint16_t>(sequence << 2 | (guest + 1)); }

class Machine::Run {
 public:
  Run(const Config& config, State& state, int thread)
      : config_(config), state_(state), self_(state.threads[thread]), id_(thread) {}

  bool Guest(int choice);
  bool Worker(int choice);
  bool Reactor();
  bool Drain();
  bool Signal(bool abandon);
  // Makes all of a dead thread's stores but the first `kept` of its buffer never to have been issued.
  bool Cut(int kept);
  void BeginCall();

 private:
  bool Is(Mutation mutation) const { return (config_.mutations & mutation) != 0; }
  bool Drained() const { return self_.buffered == 0; }
  bool Flag(GuestFlag flag) const { return (self_.flags & flag) != 0; }
  void Set(GuestFlag flag) { self_.flags = static_cast<uint8_t>(self_.flags | flag); }
  void Clear(GuestFlag flag) { self_.flags = static_cast<uint8_t>(self_.flags & ~flag); }
  void Blame(Flaw flaw) {
    if (state_.flaw == Flaw::kNone) state_.flaw = flaw;
  }

  // A plain load: the newest own store in the buffer, else memory.
  uint16_t Load(uint8_t word) const;
  void Store(uint8_t word, uint16_t value);
  // Stores that reached memory; a locked operation's at once.
  void Commit(uint8_t word, uint16_t value);
  // REQUIRES: Drained(), as of every locked operation and futex call.
  void Sleep(uint8_t word, uint16_t expected);
  void Wake(uint8_t word);

  uint8_t Mine(SlotWord word) const { return At(self_.slot, word); }

  // Guest.
  void Post();
  bool NextWithout(uint8_t pc);
  void ReadValue();
  void Free();
  void EndCall();
  void AfterRing();

  // Server.
  void Top();
  void Claim(uint16_t slots);
  bool NextSlot();
  void Look();
  void Answer(uint32_t step, uint16_t tag, bool run);
  void Reclaim();
  void RaiseReclaims();
  bool NextReactorSlot();

  const Config& config_;
  State& state_;
  Thread& self_;
  int id_;
};

}  // namespace guise::wire::model

#endif  // GUISE_PROTO_WIRE_MODEL_RUN_H_
