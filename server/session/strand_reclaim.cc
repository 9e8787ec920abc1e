// What the dead held goes back (proto/wire/slot.h, invariants 3 and 5).
#include <utility>

#include "proto/wire/records.h"
#include "proto/wire/slot.h"
#include "server/guest/process.h"
#include "server/session/desk.h"
#include "server/session/strand.h"

namespace guise::server {
namespace {

// For people; torn reads are harmless, unprintable bytes are not.
std::string CommOf(const wire::ProcessRecord& record) {
  std::string comm;
  for (const char& byte : record.comm) {
    const char c = __atomic_load_n(&byte, __ATOMIC_RELAXED);
    if (c == 0) break;
    comm.push_back(c >= ' ' && c <= '~' ? c : '?');
  }
  return comm;
}

}  // namespace

std::vector<HeldProcess> Strand::Held() const {
  absl::MutexLock lock(&mutex_);
  std::vector<HeldProcess> held;
  const uint32_t records = Groups() * wire::kProcessesPerGroup;
  for (uint32_t process = 0; process < records; ++process) {
    const uint64_t owner = request_.Process(process).owner.Acquire();
    if (HoldsProcess(process, owner)) held.push_back(Describe(process, owner));
  }
  return held;
}

HeldProcess Strand::Describe(uint32_t process, uint64_t owner) const {
  const wire::ProcessRecord& record = request_.Process(process);
  HeldProcess held;
  held.process = process;
  held.owner = owner;
  held.pid = static_cast<pid_t>(wire::HolderOf(owner));
  held.taken_at = record.taken_at.Relaxed();
  held.comm = CommOf(record);
  return held;
}

void Strand::ReclaimProcesses(const std::vector<DeadProcess>& dead, bool foreign) {
  if (dead.empty()) return;
  absl::MutexLock lock(&mutex_);
  if (closed_) return;
  ReclaimThreads(ThreadsOf(dead, foreign));
  for (const auto& [process, owner] : dead) {
    if (request_.Process(process).owner.Acquire() != owner || !HoldsProcess(process, owner)) continue;
    EndProcess(parts_, process, wire::GenerationOf(owner));
    reclaimed_processes_[process] = owner;
    reply_.ReclaimProcess(process, owner);
  }
  reply_.RaiseReclaims();
}

// The threads that the dead have left behind. A record that was given back and is held again has threads of its next
// holder, too.
std::vector<Strand::HeldThread> Strand::ThreadsOf(const std::vector<DeadProcess>& dead, bool foreign) const {
  std::vector<uint64_t> owners(wire::kProcesses);  // of the dead; 0: lives
  for (const DeadProcess& process : dead) owners[process.process] = process.owner;
  std::vector<HeldThread> left;
  const uint32_t threads = Groups() * wire::kThreadsPerGroup;
  for (uint32_t thread = 0; thread < threads; ++thread) {
    const wire::ThreadRecord& record = request_.Thread(thread);
    const uint64_t owner = record.owner.Acquire();
    const uint32_t process = wire::HolderOf(owner);
    if (!HoldsThread(thread, owner) || process >= wire::kProcesses || owners[process] == 0) continue;
    // Whoever takes the process record meanwhile takes it before its threads do theirs, and those were read before.
    const uint64_t now = request_.Process(process).owner.Acquire();
    if (now != owners[process] && HoldsProcess(process, now)) {
      const pid_t tid = static_cast<pid_t>(record.tid.Acquire());
      if (foreign || tid == 0 || HasThread(static_cast<pid_t>(wire::HolderOf(now)), tid)) continue;
    }
    left.push_back({thread, owner});
  }
  return left;
}

void Strand::ReclaimLost(const std::map<uint32_t, LivingProcess>& living) {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = absl::Now();
  if (closed_ || now < looked_ + absl::Seconds(1)) return;
  looked_ = now;
  std::map<uint32_t, uint64_t> lost;
  std::vector<HeldThread> dead;
  const uint32_t threads = Groups() * wire::kThreadsPerGroup;
  for (uint32_t thread = 0; thread < threads; ++thread) {
    const uint64_t owner = request_.Thread(thread).owner.Acquire();
    if (!HoldsThread(thread, owner) || !IsLost(thread, owner, living)) continue;
    const auto before = lost_.find(thread);
    if (before != lost_.end() && before->second == owner) {
      dead.push_back({thread, owner});
    } else {
      lost[thread] = owner;
    }
  }
  lost_ = std::move(lost);
  if (dead.empty()) return;
  ReclaimThreads(dead);
  reply_.RaiseReclaims();
}

bool Strand::IsLost(uint32_t thread, uint64_t owner, const std::map<uint32_t, LivingProcess>& living) const {
  const uint32_t process = wire::HolderOf(owner);
  // Record 0 also stands for processes that found no free record.
  if (process == 0 && Groups() == wire::kGroups) return false;
  const uint64_t process_owner = process < wire::kProcesses ? request_.Process(process).owner.Acquire() : 0;
  if (process >= wire::kProcesses || !HoldsProcess(process, process_owner)) return true;
  const auto it = living.find(process);
  if (it == living.end() || it->second.owner != process_owner) return false;
  return !HasThread(it->second.pid, static_cast<pid_t>(request_.Thread(thread).tid.Acquire()));
}

void Strand::ReclaimThreads(const std::vector<HeldThread>& threads) {
  if (threads.empty()) return;
  std::vector<bool> dead(wire::kThreads);
  for (const HeldThread& held : threads) dead[held.thread] = true;
  const uint32_t slots = Groups() * wire::kSlotsPerGroup;
  for (uint32_t slot = 0; slot < slots; ++slot) {
    const uint64_t owner = request_.Slot(slot).run.owner.Acquire();
    if (!HoldsSlot(slot, owner)) continue;
    const uint32_t holder = wire::HolderOf(owner);
    if (holder < wire::kThreads && dead[holder]) ReclaimSlot(slot, owner);
  }
  for (const HeldThread& held : threads) {
    const wire::ThreadRecord& record = request_.Thread(held.thread);
    CallTotals last;
    for (uint32_t placement = 0; placement < wire::kPlacements; ++placement) {
      for (uint32_t parity = 0; parity < wire::kParities; ++parity) {
        last.calls[placement][parity] = record.calls[placement][parity].Relaxed();
      }
    }
    // A guest that needed a record may have taken it from the dead thread by itself, and has then counted.
    if (record.owner.Acquire() != held.owner) continue;
    for (uint32_t placement = 0; placement < wire::kPlacements; ++placement) {
      for (uint32_t parity = 0; parity < wire::kParities; ++parity) {
        tally_.calls[placement][parity] += last.calls[placement][parity];
      }
    }
    reclaimed_threads_[held.thread] = held.owner;
    reply_.ReclaimThread(held.thread, held.owner);
  }
}

void Strand::ReclaimSlot(uint32_t slot, uint64_t owner) {
  if (desks_[slot] != nullptr) desks_[slot]->conversation.Cancel();
  // What a dead guest posted last is closed unread; its sequence does not move any more.
  const uint64_t sequence = request_.Slot(slot).call.sequence.Acquire();
  const uint64_t closed = wire::ClosedKey(sequence & wire::kMaxSequence);
  answers_[slot] = closed;
  reply_.Settle(slot, closed);
  reclaimed_slots_[slot] = owner;
  reply_.ReclaimSlot(slot, owner);
}

}  // namespace guise::server
