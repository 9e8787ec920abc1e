// What the conversations of a session have in common: its store, its process records, and who is known to have
// inherited what.
//
// Thread safety: the session's strand.
#ifndef GUISE_SERVER_STACK_SESSION_PARTS_H_
#define GUISE_SERVER_STACK_SESSION_PARTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "personalities/api/loans.h"

namespace guise::server {

class Store;

// What is known of a process from its record, for the inheritance of identities. Of the guest's word: for illusions.
struct ProcessFacts {
  uint32_t generation = 0;         // of the record
  uint32_t parent = 0;             // record of the parent + 1; 0: none
  uint32_t parent_generation = 0;  //
  uint32_t execs = 0;
};

// The session's process records. Implemented by who reads them.
class Processes {
 public:
  virtual ~Processes() = default;
  // Of the record's holder, or of its last one until the next takes it: children still inherit from it. nullopt: the
  // index is out of range or the record was never held.
  virtual std::optional<ProcessFacts> Facts(uint32_t process) = 0;
  // Calls `visit(process, facts)` for each record whose holder, or last one, has the parent (process, generation).
  virtual void ForEachChild(uint32_t process, uint32_t generation,
                            const std::function<void(uint32_t, const ProcessFacts&)>& visit) = 0;
};

// Processes that are known to have the identity that the stack starts with: neither they nor an ancestor had changed
// when it was asked for, and what an ancestor changes later is not theirs.
class Heirs {
 public:
  bool Has(uint32_t process, uint32_t generation) const {
    return process < generations_.size() && generations_[process] == generation;
  }
  // REQUIRES: process < wire::kProcesses, generation > 0.
  void Add(uint32_t process, uint32_t generation) {
    if (process >= generations_.size()) generations_.resize(process + size_t{1});
    generations_[process] = generation;
  }

 private:
  std::vector<uint32_t> generations_;
};

// What all conversations of a session share. Owned by the session; outlives its conversations.
struct SessionParts {
  Store* store = nullptr;
  Processes* processes = nullptr;
  Heirs heirs;
  // Called when Store::past() changes: publishes the tables of the current epoch anew, under the sequence lock, before
  // it returns.
  std::function<void()> republish;
  api::Loans loans;
  uint64_t heap_frames = 0;  // coroutine frames that did not fit their slot's arena
};

// Before a process record is given back: what its children inherit is written down, for the record's next holder may
// overwrite it. REQUIRES: the record is still held by `generation`.
void EndProcess(SessionParts& parts, uint32_t process, uint32_t generation);

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_SESSION_PARTS_H_
