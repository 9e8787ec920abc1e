#include "server/channel/testing/guest.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "proto/wire/doorbell.h"
#include "proto/wire/layout.h"
#include "server/channel/futex.h"

namespace guise::server::testing {
namespace {

char* Map(int fd, uint64_t size, int protection) {
  void* data = mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) {
    perror("cannot map a session's memory as a guest");
    abort();
  }
  return static_cast<char*>(data);
}

uint64_t BoottimeNow() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void NoteGroup(const GuestMemory& memory, uint32_t group) {
  wire::Cell<uint32_t>& used = memory.Group(0).root.header.groups_used;
  uint32_t seen = used.Acquire();
  while (seen < group + 1 && !used.CompareSwap(seen, group + 1)) seen = used.Acquire();
}

}  // namespace

GuestMemory::GuestMemory(int request_fd, int reply_fd)
    : request_(Map(request_fd, wire::kRequestSize, PROT_READ | PROT_WRITE)),
      reply_(Map(reply_fd, wire::kTablesOffset, PROT_READ)) {}

GuestMemory::~GuestMemory() {
  munmap(request_, wire::kRequestSize);
  munmap(reply_, wire::kTablesOffset);
}

wire::RequestGroup& GuestMemory::Group(uint32_t group) const {
  return *reinterpret_cast<wire::RequestGroup*>(request_ + group * wire::kPageSize);
}
const wire::ReplyGroup& GuestMemory::Reply(uint32_t group) const {
  return *reinterpret_cast<const wire::ReplyGroup*>(reply_ + group * wire::kPageSize);
}
wire::RequestSlot& GuestMemory::Slot(uint32_t slot) const {
  return Group(slot / wire::kSlotsPerGroup).slots[slot % wire::kSlotsPerGroup];
}
const wire::ReplyLine& GuestMemory::Line(uint32_t slot) const {
  return Reply(slot / wire::kSlotsPerGroup).lines[slot % wire::kSlotsPerGroup];
}
wire::ThreadRecord& GuestMemory::Thread(uint32_t thread) const {
  return Group(thread / wire::kThreadsPerGroup).threads[thread % wire::kThreadsPerGroup];
}
wire::ProcessRecord& GuestMemory::Process(uint32_t process) const {
  return Group(process / wire::kProcessesPerGroup).processes[process % wire::kProcessesPerGroup];
}

bool GuestMemory::HoldsSlot(uint32_t slot) const {
  const auto& reclaimed = Reply(slot / wire::kSlotsPerGroup).reclaimed_slots[slot % wire::kSlotsPerGroup];
  return wire::IsHeld(Slot(slot).run.owner.Acquire(), reclaimed.Acquire());
}
bool GuestMemory::HoldsThread(uint32_t thread) const {
  const auto& reclaimed = Reply(thread / wire::kThreadsPerGroup).reclaimed_threads[thread % wire::kThreadsPerGroup];
  return wire::IsHeld(Thread(thread).owner.Acquire(), reclaimed.Acquire());
}
bool GuestMemory::HoldsProcess(uint32_t process) const {
  const auto& reclaimed =
      Reply(process / wire::kProcessesPerGroup).reclaimed_processes[process % wire::kProcessesPerGroup];
  return wire::IsHeld(Process(process).owner.Acquire(), reclaimed.Acquire());
}

TestProcess::TestProcess(const GuestMemory& memory, uint32_t parent, uint32_t parent_generation, pid_t pid)
    : memory_(memory) {
  while (true) {
    wire::ProcessRecord& record = memory.Process(record_);
    const uint64_t owner = record.owner.Acquire();
    owner_ = wire::NextOwner(owner, static_cast<uint32_t>(pid));
    if (!memory.HoldsProcess(record_) && record.owner.CompareSwap(owner, owner_)) break;
    if (++record_ == wire::kProcesses) abort();
  }
  NoteGroup(memory, record_ / wire::kProcessesPerGroup);
  wire::ProcessRecord& record = memory.Process(record_);
  record.taken_at.StoreRelaxed(BoottimeNow());
  record.parent.StoreRelaxed(parent);
  record.parent_generation.StoreRelaxed(parent_generation);
  memcpy(record.comm, "guest", sizeof("guest"));
}

void TestProcess::GiveBack() {
  wire::ProcessRecord& record = memory_.Process(record_);
  record.owner.Release(wire::FreeOf(owner_));
}

TestThread::TestThread(const GuestMemory& memory, const TestProcess& process) : memory_(memory) {
  while (true) {
    wire::ThreadRecord& record = memory.Thread(record_);
    const uint64_t owner = record.owner.Acquire();
    owner_ = wire::NextOwner(owner, process.record());
    if (!memory.HoldsThread(record_) && record.owner.CompareSwap(owner, owner_)) break;
    if (++record_ == wire::kThreads) abort();
  }
  NoteGroup(memory, record_ / wire::kThreadsPerGroup);
  wire::ThreadRecord& record = memory.Thread(record_);
  for (auto& parities : record.calls) {
    for (auto& calls : parities) calls.StoreRelaxed(0);
  }
  record.in_gate.StoreRelaxed(0);
  record.tid.Release(static_cast<uint32_t>(::syscall(SYS_gettid)));
}

void TestThread::GiveBack() {
  wire::ThreadRecord& record = memory_.Thread(record_);
  for (uint32_t placement = 0; placement < wire::kPlacements; ++placement) {
    for (uint32_t parity = 0; parity < wire::kParities; ++parity) {
      const uint64_t calls = record.calls[placement][parity].Relaxed();
      memory_.Group(0).root.totals.calls[placement][parity].Add(calls);
      record.calls[placement][parity].StoreRelaxed(0);
    }
  }
  record.owner.Release(wire::FreeOf(owner_));
}

bool TestThread::TryTake(uint32_t* slot) {
  for (*slot = 0; *slot < wire::kSlots; ++*slot) {
    wire::Cell<uint64_t>& word = memory_.Slot(*slot).run.owner;
    const uint64_t owner = word.Acquire();
    if (memory_.HoldsSlot(*slot) || !word.CompareSwap(owner, wire::NextOwner(owner, record_))) continue;
    NoteGroup(memory_, *slot / wire::kSlotsPerGroup);
    return true;
  }
  return false;
}

uint32_t TestThread::Take() {
  uint32_t slot = 0;
  while (!TryTake(&slot)) {
    // Both words at once (request.h) takes futex_waitv(2); here a short wait on the server's word does.
    const wire::Cell<uint32_t>& reclaims = memory_.Reply(0).reclaims;
    const uint32_t seen = reclaims.Acquire();
    if (TryTake(&slot)) break;
    const timespec pause = {.tv_sec = 0, .tv_nsec = 1'000'000};
    FutexWait(reclaims.Address(), seen, &pause);
  }
  return slot;
}

uint64_t TestThread::Write(uint32_t slot, uint32_t nr, const std::vector<Argument>& args) {
  wire::RequestSlot& line = memory_.Slot(slot);
  const uint64_t sequence = line.call.sequence.Relaxed() + 1;
  line.call.nr.StoreRelaxed(nr);
  line.call.epoch.StoreRelaxed(epoch_ != 0 ? epoch_ : memory_.Page().epoch.Acquire());
  line.run.thread.StoreRelaxed(record_);
  uint32_t used = 0;
  for (size_t i = 0; i < 6; ++i) {
    line.call.args[i].StoreRelaxed(0);
    line.run.copies[i].StoreRelaxed(0);
    if (i >= args.size()) continue;
    line.call.args[i].StoreRelaxed(args[i].value);
    if (args[i].copy.empty()) continue;
    line.call.args[i].StoreRelaxed(reinterpret_cast<uint64_t>(args[i].copy.data()));
    memcpy(memory_.Inbound(slot) + used, args[i].copy.data(), args[i].copy.size());
    line.run.copies[i].StoreRelaxed(static_cast<uint16_t>(used + 1));
    used = (used + static_cast<uint32_t>(args[i].copy.size()) + 7) & ~7u;
  }
  line.call.sequence.Release(sequence);
  return sequence;
}

uint64_t TestThread::Post(uint32_t slot, uint32_t nr, const std::vector<Argument>& args) {
  const uint64_t sequence = Write(slot, nr, args);
  Ring(slot);
  return sequence;
}

void TestThread::Ring(uint32_t slot) {
  const uint32_t bells = memory_.Page().bells_in_use.Acquire();
  const uint32_t number = static_cast<uint32_t>(sched_getcpu()) % bells;
  wire::Bell& bell = memory_.Group(0).root.bells[number];
  wire::Cell<uint64_t>& posts = memory_.Group(slot / wire::kSlotsPerGroup).header.posts;
  if (wire::Ring(bell, memory_.Reply(0).parked[number], posts, slot % wire::kSlotsPerGroup)) {
    FutexWakeAll(bell.rung.Address());
  }
}

void TestThread::Await(uint32_t slot, uint64_t key) {
  const wire::Cell<uint64_t>& answer = memory_.Line(slot).answer;
  while (true) {
    const uint64_t seen = answer.Acquire();
    if (seen == key) return;
    FutexWait(LowHalf(answer.Address()), static_cast<uint32_t>(seen));
  }
}

void TestThread::Free(uint32_t slot) {
  wire::Cell<uint64_t>& owner = memory_.Slot(slot).run.owner;
  owner.Release(wire::FreeOf(owner.Relaxed()));
}

uint64_t TestThread::Obey(uint32_t slot, uint32_t* nr) {
  const wire::ReplyLine& line = memory_.Line(slot);
  const uint32_t packed = line.nr.Relaxed();
  *nr = wire::NrOf(packed);
  uint64_t args[6];
  for (uint32_t i = 0; i < 6; ++i) {
    args[i] = line.args[i].Relaxed();
    const wire::ArgFlag flag = wire::FlagOf(packed, i);
    if (flag == wire::ArgFlag::kOutbound) args[i] += reinterpret_cast<uint64_t>(memory_.Outbound(slot));
    if (flag == wire::ArgFlag::kInOut) {
      char* const room = memory_.Inbound(slot) + wire::InOutInbound(args[i]);
      std::memcpy(room, memory_.Outbound(slot) + wire::InOutOutbound(args[i]), wire::InOutLength(args[i]));
      args[i] = reinterpret_cast<uint64_t>(room);
    }
    if (flag == wire::ArgFlag::kInbound) args[i] += reinterpret_cast<uint64_t>(memory_.Inbound(slot));
  }
  if (native_) return native_(*nr, args);
  const long result = ::syscall(*nr, args[0], args[1], args[2], args[3], args[4], args[5]);
  return static_cast<uint64_t>(result < 0 ? -int64_t{errno} : int64_t{result});
}

TestThread::Result TestThread::Call(uint32_t nr, const std::vector<Argument>& args) {
  const uint32_t slot = Take();
  Result result = Converse(slot, nr, args);
  Free(slot);
  return result;
}

TestThread::Result TestThread::Converse(uint32_t slot, uint32_t nr, const std::vector<Argument>& args) {
  const uint64_t sequence = Post(slot, nr, args);
  wire::RequestSlot& request = memory_.Slot(slot);
  const wire::ReplyLine& line = memory_.Line(slot);
  Result result;
  for (uint32_t step = 1;; ++step) {
    const uint64_t key = wire::Key(sequence, step);
    Await(slot, key);
    result.verb = static_cast<wire::Verb>(line.verb.Relaxed());
    uint32_t asked = 0;
    if (result.verb == wire::Verb::kRun) {
      request.run.begun.Release(key);
      request.run.result.StoreRelaxed(Obey(slot, &asked));
      request.run.done.Release(key);
      ++result.runs;
      Ring(slot);
      continue;
    }
    if (result.verb == wire::Verb::kTail) {
      result.value = Obey(slot, &asked);
    } else {
      result.value = line.args[0].Relaxed();
      for (uint32_t i = 1; i < 6; ++i) {
        const uint64_t word = line.args[i].Relaxed();
        if (!wire::IsCopyOut(word)) continue;
        result.copied_out.emplace_back(memory_.Outbound(slot) + wire::CopyOutOffset(word), wire::CopyOutLength(word));
      }
    }
    break;
  }
  wire::Cell<uint64_t>& count = memory_.Thread(record_).calls[2][request.call.epoch.Relaxed() & 1];
  count.StoreRelaxed(count.Relaxed() + 1);
  return result;
}

}  // namespace guise::server::testing
