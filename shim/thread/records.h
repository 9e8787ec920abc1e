// This process's and thread's records in request memory (proto/wire/records.h).
#ifndef GUISE_SHIM_THREAD_RECORDS_H_
#define GUISE_SHIM_THREAD_RECORDS_H_

#include "proto/wire/records.h"
#include "shim/thread/block.h"

namespace guise::shim {

// Goes on with the record that this process held before an exec, when it still does; else kNoRecord.
void KeepProcessRecord(ProcessState* process, uint32_t record);
// Takes a process record. parent: a record or kNoRecord. Without a free record the process stays unknown to the server;
// its calls are served all the same.
void TakeProcessRecord(ProcessState* process, uint32_t parent, uint32_t parent_generation);
// For a child that is to be forked: takes its record in this process's name. kNoRecord: there is none free, or nobody
// asks whose identity a child inherits.
TakenRecord TakeUnborn(const ProcessState& process);
// In the child, whose `process` is still its parent's: goes on with that record, if it has one.
void AdoptProcessRecord(ProcessState* process, const TakenRecord& unborn);
// In the parent: `child` is what the fork has answered. Leaves the record in the child's name, which may have been
// killed before it has adopted it, where the child calls itself so; or gives it back.
void LeaveUnborn(const ProcessState& process, const TakenRecord& unborn, int64_t child, bool is_named_so);
// Leaves it to the server, which sees the process die, when children may still inherit an identity by it.
void GiveBackProcessRecord(ProcessState* process);
// The process has restricted itself (landlock(7)).
void NoteLandlockLayer(ProcessState* process);
// Whether its parent has done so since it made it, as far as records know.
bool ParentIsRestricted(const ProcessState& process);
// Says to people what the process runs.
void NameProcessRecord(ProcessState* process, const char* comm);

// Without a free record (null) the thread's calls are served all the same; nobody counts them or waits for their end.
// REQUIRES: block->tid is the thread's.
void TakeThreadRecord(ThreadBlock* block);
// Adds its counters to the session's totals.
void GiveBackThreadRecord(ThreadBlock* block);

// Of threads that have none; nobody reads it.
extern wire::ThreadRecord g_unread;
inline wire::ThreadRecord& RecordOf(const ThreadBlock* block) {
  return block->record == nullptr ? g_unread : *block->record;
}

// The thread's call took a signal.
void CountCaught(ThreadBlock* block);

inline void Count(wire::Cell<uint64_t>& calls) { calls.StoreRelaxed(calls.Relaxed() + 1); }
inline void CountCall(const ThreadBlock* block, wire::Placement placement, uint32_t epoch) {
  Count(RecordOf(block).calls[static_cast<uint32_t>(placement)][epoch & 1]);
}
// Where a DirectWord says, which is the server's.
inline void CountDirect(const ThreadBlock* block, uint8_t counter) {
  Count((&RecordOf(block).calls[0][0])[counter / sizeof(uint64_t)]);
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_THREAD_RECORDS_H_
