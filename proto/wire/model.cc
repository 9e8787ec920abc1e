#include "proto/wire/model.h"

#include <cstdio>
#include <cstring>
#include <type_traits>

#include "proto/wire/model_run.h"
#include "proto/wire/model_state.h"
#include "proto/wire/slot.h"

namespace guise::wire::model {
namespace {

static_assert(std::has_unique_object_representations_v<State>, "states are hashed byte by byte");

// A set of 64-bit fingerprints, open addressing.
class Fingerprints {
 public:
  Fingerprints() : table_(size_t{1} << 16) {}

  // False when it was there already.
  bool Insert(uint64_t fingerprint) {
    if (fingerprint == 0) fingerprint = 1;
    if (count_ * 3 > table_.size() * 2) Grow();
    if (!Put(fingerprint)) return false;
    ++count_;
    return true;
  }
  uint64_t count() const { return count_; }

 private:
  bool Put(uint64_t fingerprint) {
    const size_t mask = table_.size() - 1;
    for (size_t i = fingerprint & mask;; i = (i + 1) & mask) {
      if (table_[i] == fingerprint) return false;
      if (table_[i] != 0) continue;
      table_[i] = fingerprint;
      return true;
    }
  }
  void Grow() {
    std::vector<uint64_t> old(table_.size() * 2);
    old.swap(table_);
    for (const uint64_t fingerprint : old) {
      if (fingerprint != 0) Put(fingerprint);
    }
  }

  std::vector<uint64_t> table_;
  uint64_t count_ = 0;
};

uint64_t Fingerprint(const State& state) {
  uint64_t words[(sizeof(State) + 7) / 8] = {};
  std::memcpy(words, &state, sizeof(State));
  uint64_t h = 0x9e3779b97f4a7c15u;
  for (const uint64_t word : words) {
    const unsigned __int128 product = static_cast<unsigned __int128>(h ^ word) * (0xbf58476d1ce4e5b9u ^ (h << 1));
    h = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64) ^ (h >> 7);
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
  }
  return h ^ h >> 32;
}

struct Frame {
  State state;
  uint32_t next = 0;
  Transition taken = {};
  bool progress = false;
};

}  // namespace

State Machine::Start() const {
  State state;
  std::memset(static_cast<void*>(&state), 0, sizeof state);
  for (int i = 0; i < config_.guests; ++i) {
    state.calls_left[i] = static_cast<uint8_t>(config_.calls[i]);
    state.signals_left[i] = static_cast<uint8_t>(config_.signals);
    Run(config_, state, i).BeginCall();
  }
  state.threads[config_.guests].pc = kWorkerTop;
  state.threads[config_.guests + 1].pc = kReactorIdle;
  state.deaths_left = static_cast<uint8_t>(config_.deaths);
  state.server_deaths_left = static_cast<uint8_t>(config_.server_deaths);
  return state;
}

std::vector<Transition> Machine::Transitions() const {
  std::vector<Transition> all;
  const int worker = config_.guests;
  const auto add = [&all](Transition::Kind kind, int thread, int choice) {
    all.push_back({kind, static_cast<uint8_t>(thread), static_cast<uint8_t>(choice)});
  };
  for (int t = 0; t < worker + 2; ++t) {
    for (int choice = 0; choice < (t == worker ? 3 : 1); ++choice) add(Transition::kStep, t, choice);
    add(Transition::kDrain, t, 0);
  }
  for (int guest = 0; guest < config_.guests; ++guest) {
    if (config_.signals != 0) add(Transition::kSignal, guest, 0);
    if (config_.signals != 0 && config_.abandon) add(Transition::kSignal, guest, 1);
    if (config_.respawn) add(Transition::kRespawn, guest, 0);
    for (int kept = 0; config_.deaths != 0 && kept <= kBufferSize; ++kept) add(Transition::kDie, guest, kept);
  }
  for (int kept = 0; config_.server_deaths != 0 && kept < (kBufferSize + 1) * (kBufferSize + 1); ++kept) {
    add(Transition::kServerDie, worker, kept);
  }
  return all;
}

bool Machine::Apply(State& state, Transition transition) const {
  const int t = transition.thread;
  Thread& thread = state.threads[t];
  Run run(config_, state, t);
  switch (transition.kind) {
    case Transition::kStep:
      if (t < config_.guests) return run.Guest(transition.choice);
      return t == config_.guests ? run.Worker(transition.choice) : run.Reactor();
    case Transition::kDrain:
      return run.Drain();
    case Transition::kSignal:
      return run.Signal(transition.choice != 0);
    case Transition::kRespawn:
      if (thread.pc != kGuestDead || state.dead[t] != 2) return false;
      state.dead[t] = 0;
      run.BeginCall();
      return true;
    case Transition::kDie:
      if (state.deaths_left == 0 || thread.pc == kGuestDead || thread.pc == kGuestDone) return false;
      if (!run.Cut(transition.choice)) return false;
      --state.deaths_left;
      thread.pc = kGuestDead;
      state.dead[t] = 1;
      return true;
    case Transition::kServerDie: {
      Thread& reactor = state.threads[t + 1];
      const int kept = transition.choice / (kBufferSize + 1);
      if (state.server_deaths_left == 0 || thread.pc == kWorkerStart || reactor.buffered < kept) return false;
      if (!run.Cut(transition.choice % (kBufferSize + 1))) return false;
      Run(config_, state, t + 1).Cut(kept);
      --state.server_deaths_left;
      thread.pc = kWorkerStart;
      reactor.pc = kReactorIdle;
      for (uint16_t& held : state.held) held = 0;
      state.memory[kStrand] = 1;  // nobody but the successor's start may go on
      return true;
    }
  }
  return false;
}

bool Machine::IsProgress(const State& state, Transition transition) const {
  switch (transition.kind) {
    case Transition::kDie:
    case Transition::kServerDie:
      return false;
    case Transition::kSignal: {
      const Thread& guest = state.threads[transition.thread];
      return state.held[guest.slot] == TagOf(guest.sequence, transition.thread);
    }
    default:
      return true;
  }
}

Flaw Machine::AtRest(const State& state) const {
  for (int i = 0; i < config_.guests; ++i) {
    const uint8_t pc = state.threads[i].pc;
    if (pc != kGuestDone && !(pc == kGuestDead && !config_.respawn && state.dead[i] == 2)) return Flaw::kStuck;
  }
  for (int slot = 0; slot < config_.slots; ++slot) {
    if (IsHeld(Wide(state.memory[At(slot, kOwner)]), Wide(state.memory[At(slot, kReclaimed)]))) return Flaw::kSlotLost;
  }
  return Flaw::kNone;
}

std::string Machine::Describe(const State& before, Transition transition) const {
  static constexpr const char* kKinds[] = {"step", "drain", "signal", "respawn", "die", "server dies"};
  const Thread& thread = before.threads[transition.thread];
  char text[160];
  std::snprintf(text, sizeof text, "%s %d: %s %d at pc %d (slot %d, sequence %d, buffered %d%s%d)",
                transition.thread < config_.guests ? "guest" : "server", transition.thread, kKinds[transition.kind],
                transition.choice, thread.pc, thread.slot, thread.sequence, thread.buffered,
                thread.buffered != 0 ? ", first word " : " ", thread.buffered != 0 ? thread.address[0] : 0);
  return text;
}

std::string Name(Flaw flaw) {
  static constexpr const char* kNames[] = {"none",         "stuck",          "slot lost",  "wrong answer",
                                           "served twice", "answered twice", "ran twice",  "torn line",
                                           "stale result", "line rewritten", "held twice", "wrong holder"};
  return kNames[static_cast<int>(flaw)];
}

Result Explore(const Config& config) {
  const Machine machine(config);
  const std::vector<Transition> transitions = machine.Transitions();
  Fingerprints visited;
  std::vector<Frame> path;
  Result result;
  path.push_back({machine.Start()});
  visited.Insert(Fingerprint(path.back().state));
  const auto blame = [&](Flaw flaw) {
    result.flaw = flaw;
    for (size_t i = 0; i + 1 < path.size(); ++i) result.trace.push_back(machine.Describe(path[i].state, path[i].taken));
  };
  while (!path.empty()) {
    Frame& top = path.back();
    if (top.next == transitions.size()) {
      if (!top.progress) {
        const Flaw flaw = machine.AtRest(top.state);
        if (flaw != Flaw::kNone) {
          blame(flaw);
          break;
        }
        ++result.ends;
      }
      path.pop_back();
      continue;
    }
    const Transition transition = transitions[top.next++];
    State after = top.state;
    if (!machine.Apply(after, transition)) continue;
    top.progress |= machine.IsProgress(top.state, transition);
    top.taken = transition;
    if (after.flaw != Flaw::kNone) {
      path.push_back({after});
      blame(after.flaw);
      break;
    }
    if (visited.Insert(Fingerprint(after))) path.push_back({after});
  }
  result.states = visited.count();
  return result;
}

}  // namespace guise::wire::model
