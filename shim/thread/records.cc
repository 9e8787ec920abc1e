#include "shim/thread/records.h"

#include <linux/time.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/memories.h"

namespace guise::shim {

wire::ThreadRecord g_unread;

namespace {

using syscall::Nr;

void NoteGroup(uint32_t group) {
  wire::Cell<uint32_t>& used = RootRequest().root.header.groups_used;
  uint32_t seen = used.Acquire();
  while (seen < group + 1 && !used.CompareSwap(seen, group + 1)) seen = used.Acquire();
}

wire::ProcessRecord* ProcessAt(const ProcessState& process, uint32_t record) {
  wire::RequestGroup* const group = RequestGroupAt(process, record / wire::kProcessesPerGroup);
  return group == nullptr ? nullptr : &group->processes[record % wire::kProcessesPerGroup];
}

// 0: a thread record that was taken by one that has not written its tid yet.
bool IsGone(uint32_t id) { return id != 0 && Native(Nr::kill, id, 0) == -ESRCH; }

// The first pass takes what is free; the second, of processes that ended without a word and that the server never got
// to know, too.
TakenRecord FirstFreeProcess(const ProcessState& process, uint32_t groups, bool also_gone) {
  for (uint32_t g = 0; g < groups; ++g) {
    wire::RequestGroup* const request = RequestGroupAt(process, g);
    const wire::ReplyGroup* const reply = ReplyGroupAt(process, g);
    if (request == nullptr || reply == nullptr) return kNoneTaken;
    for (uint32_t i = 0; i < wire::kProcessesPerGroup; ++i) {
      wire::ProcessRecord& record = request->processes[i];
      const uint64_t owner = record.owner.Acquire();
      if (wire::IsHeld(owner, reply->reclaimed_processes[i].Acquire()) &&
          !(also_gone && IsGone(wire::HolderOf(owner)))) {
        continue;
      }
      const uint64_t next = wire::NextOwner(owner, static_cast<uint32_t>(process.pid));
      if (!record.owner.CompareSwap(owner, next)) continue;
      NoteGroup(g);
      return {g * wire::kProcessesPerGroup + i, wire::GenerationOf(next)};
    }
  }
  return kNoneTaken;
}

void Harvest(wire::ThreadRecord& record) {
  wire::Totals& totals = RootRequest().root.totals;
  for (uint32_t p = 0; p < wire::kPlacements; ++p) {
    for (uint32_t parity = 0; parity < wire::kParities; ++parity) {
      const uint64_t calls = record.calls[p][parity].Relaxed();
      if (calls != 0) totals.calls[p][parity].Add(calls);
      record.calls[p][parity].StoreRelaxed(0);
    }
  }
}

// Groups that are worth a look before a new one is opened.
uint32_t GroupsInUse() {
  const uint32_t used = RootRequest().root.header.groups_used.Acquire();
  return used == 0 ? 1 : used < wire::kGroups ? used : wire::kGroups;
}

// ns, of CLOCK_BOOTTIME.
uint64_t Now() {
  __kernel_timespec now = {};
  Native(Nr::clock_gettime, 7 /* CLOCK_BOOTTIME */, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

// In the process's name. `taken_at`: as the record's.
TakenRecord TakeRecord(const ProcessState& process, uint64_t taken_at, uint32_t parent, uint32_t parent_generation) {
  const uint32_t groups = GroupsInUse();
  TakenRecord taken = FirstFreeProcess(process, groups, false);
  if (taken.record == kNoRecord) taken = FirstFreeProcess(process, groups, true);
  if (taken.record == kNoRecord) taken = FirstFreeProcess(process, wire::kGroups, false);
  if (taken.record == kNoRecord) return taken;
  wire::ProcessRecord& record = *ProcessAt(process, taken.record);
  record.taken_at.StoreRelaxed(taken_at);
  record.parent.StoreRelaxed(parent == kNoRecord ? 0 : parent + 1);
  record.parent_generation.StoreRelaxed(parent_generation);
  record.execs.StoreRelaxed(0);
  record.landlock_layers.StoreRelaxed(process.landlock_layers);
  record.parent_landlock_layers.StoreRelaxed(process.landlock_layers);
  return taken;
}

}  // namespace

TakenRecord TakeUnborn(const ProcessState& process) {
  if ((RootReply().published.flags.Relaxed() & wire::kKeepsIdentities) == 0) return kNoneTaken;
  return TakeRecord(process, 0, process.record, process.generation);
}

void AdoptProcessRecord(ProcessState* process, const TakenRecord& unborn) {
  const uint32_t parent = process->record;
  if (unborn.record != kNoRecord) {
    process->pid = static_cast<int32_t>(Native(Nr::getpid));
    const uint64_t own = wire::Owner(unborn.generation, static_cast<uint32_t>(process->pid));
    wire::ProcessRecord& record = *ProcessAt(*process, unborn.record);
    const wire::ReplyGroup* const reply = ReplyGroupAt(*process, unborn.record / wire::kProcessesPerGroup);
    const wire::Cell<uint64_t>& reclaimed = reply->reclaimed_processes[unborn.record % wire::kProcessesPerGroup];
    // In the parent's name, or in this one's. The server may have given it to others if the parent has ended meanwhile.
    for (uint64_t taken = record.owner.Acquire(); wire::GenerationOf(taken) == unborn.generation;
         taken = record.owner.Acquire()) {
      if (!wire::IsHeld(taken, reclaimed.Acquire())) break;
      if (!record.owner.CompareSwap(taken, own)) continue;
      record.taken_at.StoreRelaxed(Now());
      process->record = unborn.record;
      process->generation = unborn.generation;
      process->may_have_children = false;
      return;
    }
  }
  TakeProcessRecord(process, parent, process->generation);
}

void LeaveUnborn(const ProcessState& process, const TakenRecord& unborn, int64_t child, bool is_named_so) {
  if (unborn.record == kNoRecord) return;
  wire::Cell<uint64_t>& owner = ProcessAt(process, unborn.record)->owner;
  const uint64_t taken = wire::Owner(unborn.generation, static_cast<uint32_t>(process.pid));
  if (IsError(child)) {
    owner.CompareSwap(taken, wire::FreeOf(taken));
  } else if (is_named_so) {
    owner.CompareSwap(taken, wire::Owner(unborn.generation, static_cast<uint32_t>(child)));
  }
}

void TakeProcessRecord(ProcessState* process, uint32_t parent, uint32_t parent_generation) {
  process->pid = static_cast<int32_t>(Native(Nr::getpid));
  process->may_have_children = false;
  const TakenRecord taken = TakeRecord(*process, Now(), parent, parent_generation);
  process->record = taken.record;
  process->generation = taken.generation;
}

void GiveBackProcessRecord(ProcessState* process) {
  if (process->record == kNoRecord) return;
  const bool diverged = (RootReply().published.flags.Relaxed() & wire::kDiverged) != 0;
  if (process->may_have_children && diverged) return;
  wire::ProcessRecord& record = *ProcessAt(*process, process->record);
  record.owner.Release(wire::FreeOf(record.owner.Relaxed()));
  process->record = kNoRecord;
}

void NoteLandlockLayer(ProcessState* process) {
  ++process->landlock_layers;
  if (process->record == kNoRecord) return;
  ProcessAt(*process, process->record)->landlock_layers.Release(process->landlock_layers);
}

bool ParentIsRestricted(const ProcessState& process) {
  if (process.record == kNoRecord) return false;
  const wire::ProcessRecord& record = *ProcessAt(process, process.record);
  if (record.parent.Relaxed() == 0) return false;
  const uint32_t index = record.parent.Relaxed() - 1;
  const wire::ProcessRecord* const parent = ProcessAt(process, index);
  const wire::ReplyGroup* const reply = ReplyGroupAt(process, index / wire::kProcessesPerGroup);
  if (parent == nullptr || reply == nullptr) return false;
  const uint64_t owner = parent->owner.Acquire();
  if (!wire::IsHeld(owner, reply->reclaimed_processes[index % wire::kProcessesPerGroup].Acquire())) return false;
  if (wire::GenerationOf(owner) != record.parent_generation.Relaxed()) return false;
  // The maker may have ended, or have made its own parent the child's (CLONE_PARENT).
  if (wire::HolderOf(owner) != static_cast<uint32_t>(Native(Nr::getppid))) return false;
  return parent->landlock_layers.Acquire() != record.parent_landlock_layers.Relaxed();
}

void NameProcessRecord(ProcessState* process, const char* comm) {
  if (process->record == kNoRecord) return;
  wire::ProcessRecord& record = *ProcessAt(*process, process->record);
  size_t i = 0;
  for (; comm[i] != 0 && i + 1 < sizeof(record.comm); ++i) record.comm[i] = comm[i];
  for (; i < sizeof(record.comm); ++i) record.comm[i] = 0;
  record.execs.StoreRelaxed(record.execs.Relaxed() + 1);
}

void KeepProcessRecord(ProcessState* process, uint32_t record) {
  process->pid = static_cast<int32_t>(Native(Nr::getpid));
  process->record = kNoRecord;
  if (record >= wire::kProcesses) return;
  const wire::ProcessRecord* const kept = ProcessAt(*process, record);
  const wire::ReplyGroup* const reply = ReplyGroupAt(*process, record / wire::kProcessesPerGroup);
  if (kept == nullptr || reply == nullptr) return;
  const uint64_t owner = kept->owner.Acquire();
  if (!wire::IsHeld(owner, reply->reclaimed_processes[record % wire::kProcessesPerGroup].Acquire())) return;
  if (wire::HolderOf(owner) != static_cast<uint32_t>(process->pid)) return;
  process->record = record;
  process->generation = wire::GenerationOf(owner);
  process->landlock_layers = kept->landlock_layers.Relaxed();
  process->may_have_children = true;  // of the program before
}

void TakeThreadRecord(ThreadBlock* block) {
  block->thread = kNoRecord;
  block->record = nullptr;
  const ProcessState& process = *block->process;
  // Nobody's, where it has none.
  const uint32_t holder = process.record == kNoRecord ? wire::kProcesses : process.record;
  // In the known groups first, among the records of processes that are gone second, in a new group last.
  for (uint32_t pass = 0; pass < 3; ++pass) {
    const uint32_t groups = pass < 2 ? GroupsInUse() : wire::kGroups;
    for (uint32_t g = 0; g < groups; ++g) {
      wire::RequestGroup* const request = RequestGroupAt(process, g);
      const wire::ReplyGroup* const reply = ReplyGroupAt(process, g);
      if (request == nullptr || reply == nullptr) return;
      for (uint32_t i = 0; i < wire::kThreadsPerGroup; ++i) {
        wire::ThreadRecord& record = request->threads[i];
        const uint64_t owner = record.owner.Acquire();
        const bool reclaimed = owner != 0 && owner == reply->reclaimed_threads[i].Acquire();
        const bool held = wire::IsHeld(owner, 0) && !reclaimed;
        if (held && !(pass == 1 && IsGone(record.tid.Relaxed()))) continue;
        if (!record.owner.CompareSwap(owner, wire::NextOwner(owner, holder))) continue;
        NoteGroup(g);
        if (held) Harvest(record);  // the server has counted those that it reclaimed
        for (auto& parities : record.calls) {
          for (auto& calls : parities) calls.StoreRelaxed(0);
        }
        record.in_gate.StoreRelaxed(0);
        record.tid.Release(static_cast<uint32_t>(block->tid));
        block->thread = g * wire::kThreadsPerGroup + i;
        block->record = &record;
        return;
      }
    }
  }
}

void CountCaught(ThreadBlock* block) {
  if (++block->caught != wire::kCaughtStep) return;
  RootRequest().root.sites.caught.Add(block->caught);
  block->caught = 0;
}

void GiveBackThreadRecord(ThreadBlock* block) {
  if (block->caught != 0) RootRequest().root.sites.caught.Add(block->caught);
  block->caught = 0;
  if (block->thread == kNoRecord) return;
  wire::ThreadRecord& record = RecordOf(block);
  block->thread = kNoRecord;
  block->record = nullptr;
  Harvest(record);
  record.tid.StoreRelaxed(0);
  record.in_gate.StoreRelaxed(0);
  record.owner.Release(wire::FreeOf(record.owner.Relaxed()));
}

}  // namespace guise::shim
