#include "shim/gate/channel.h"

#include <linux/futex.h>
#include <linux/time.h>

#include "proto/wire/doorbell.h"
#include "shim/arch/x86_64/cpu.h"
#include "shim/gate/arguments.h"
#include "shim/gate/published.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/panic.h"
#include "shim/signal/interrupt.h"
#include "shim/thread/records.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::Cell;

// A slot that this thread holds.
struct Held {
  uint32_t index;
  wire::RequestGroup* request;
  const wire::ReplyGroup* reply;

  wire::RequestSlot& slot() const { return request->slots[index % wire::kSlotsPerGroup]; }
  const wire::ReplyLine& line() const { return reply->lines[index % wire::kSlotsPerGroup]; }
};

constexpr int64_t kBackstopSeconds = 5;
constexpr int kClockMonotonic = 1;

int64_t FutexWait(const Cell<uint32_t>& word, uint32_t value) {
  // Woken by the server or the keeper. The time-out is for a keeper that is gone: nobody would say that the server is.
  const __kernel_timespec backstop = {kBackstopSeconds, 0};
  return Native(Nr::futex, word.Address(), FUTEX_WAIT, value, &backstop);
}

void FutexWake(Cell<uint32_t>& word, int count) { Native(Nr::futex, word.Address(), FUTEX_WAKE, count); }

bool TryTake(ThreadBlock* block, Held* held) {
  const uint32_t used = RootRequest().root.header.groups_used.Acquire();
  for (uint32_t g = 0; g < wire::kGroups; ++g) {
    wire::RequestGroup* const request = RequestGroupAt(*block->process, g);
    const wire::ReplyGroup* const reply = ReplyGroupAt(*block->process, g);
    if (request == nullptr || reply == nullptr) return false;
    for (uint32_t i = 0; i < wire::kSlotsPerGroup; ++i) {
      Cell<uint64_t>& word = request->slots[i].run.owner;
      const uint64_t owner = word.Acquire();
      if (wire::IsHeld(owner, reply->reclaimed_slots[i].Acquire())) continue;
      if (!word.CompareSwap(owner, wire::NextOwner(owner, block->thread))) continue;
      if (g >= used) {
        Cell<uint32_t>& groups = RootRequest().root.header.groups_used;
        uint32_t seen = groups.Acquire();
        while (seen < g + 1 && !groups.CompareSwap(seen, g + 1)) seen = groups.Acquire();
      }
      *held = {g * wire::kSlotsPerGroup + i, request, reply};
      return true;
    }
  }
  return false;
}

// Until a slot may have come free, request.h's rule: `full` was raised by another guest, `reclaims` by the server.
void AwaitFree(const Cell<uint32_t>& full, uint32_t full_seen, const Cell<uint32_t>& reclaims, uint32_t reclaims_seen) {
  const futex_waitv words[] = {
      {.val = full_seen, .uaddr = Word(full.Address()), .flags = FUTEX_32, .__reserved = 0},
      {.val = reclaims_seen, .uaddr = Word(reclaims.Address()), .flags = FUTEX_32, .__reserved = 0},
  };
  __kernel_timespec until = {};
  Native(Nr::clock_gettime, kClockMonotonic, &until);
  until.tv_sec += kBackstopSeconds;
  if (Native(Nr::futex_waitv, words, 2, 0, &until, kClockMonotonic) == -ENOSYS) FutexWait(full, full_seen);
}

// Waits while all slots are taken: a call that the session claims never runs natively for want of room.
bool Take(ThreadBlock* block, Held* held) {
  if (TryTake(block, held)) return true;
  wire::RequestHeader& header = RootRequest().root.header;
  const Cell<uint32_t>& reclaims = RootReply().reclaims;
  header.full_waiters.Add(1);
  bool taken = false;
  while (true) {
    const uint32_t full_seen = header.full.Acquire();
    const uint32_t reclaims_seen = reclaims.Acquire();
    taken = TryTake(block, held);
    if (taken || (!ServerAlive() && LossPolicy() != wire::OnLoss::kWait)) break;
    AwaitFree(header.full, full_seen, reclaims, reclaims_seen);
  }
  header.full_waiters.Add(static_cast<uint32_t>(-1));
  return taken;
}

void Free(const Held& held) {
  Cell<uint64_t>& owner = held.slot().run.owner;
  owner.Release(wire::FreeOf(owner.Relaxed()));
  wire::RequestHeader& header = RootRequest().root.header;
  wire::FullFence();
  if (header.full_waiters.Acquire() == 0) return;
  header.full.Add(1);
  FutexWake(header.full, INT32_MAX);
}

// Leaves the slot to the next server: the one that died may have been about to write to it.
void Abandon(const Held& held) {
  wire::RunLine& run = held.slot().run;
  run.state.Release(wire::StateWord(run.owner.Relaxed(), wire::SlotState::kAbandoned));
}

void RingFor(const Held& held) {
  const wire::ReplyGroup& root = RootReply();
  const uint32_t bells = root.published.bells_in_use.Relaxed();
  const uint32_t bell = bells <= 1 ? 0 : CurrentCpu() % (bells < wire::kBells ? bells : wire::kBells);
  wire::Bell& rung = RootRequest().root.bells[bell];
  if (wire::Ring(rung, root.parked[bell], held.request->header.posts, held.index % wire::kSlotsPerGroup)) {
    FutexWake(rung.rung, 1);
  }
}

// Waits for the answer with `key`. False: no server will give it, and the session does not wait for the next.
bool AwaitAnswer(const Held& held, uint64_t key) {
  const Cell<uint64_t>& answer = held.line().answer;
  const auto* low = reinterpret_cast<const Cell<uint32_t>*>(&answer);
  while (true) {
    const uint64_t seen = answer.Acquire();
    if (seen == key) return true;
    if (!ServerAlive() && LossPolicy() != wire::OnLoss::kWait) return false;
    FutexWait(*low, static_cast<uint32_t>(seen));
  }
}

uint64_t Argument(const Held& held, uint64_t word, wire::ArgFlag flag) {
  switch (flag) {
    case wire::ArgFlag::kOutbound:
      return Word(OutboundPayload(held.index) + word % wire::kPayloadSize);
    case wire::ArgFlag::kInbound:
      return Word(InboundPayload(held.index) + word % wire::kPayloadSize);
    case wire::ArgFlag::kInOut: {
      const uint64_t length = wire::InOutLength(word);
      const uint64_t from = wire::InOutOutbound(word);
      const uint64_t to = wire::InOutInbound(word);
      if (length > wire::kPayloadSize || from > wire::kPayloadSize - length || to > wire::kPayloadSize - length) {
        Panic(wire::PanicKind::kProtocol, "an argument of the server lies outside its slot", {});
      }
      memcpy(InboundPayload(held.index) + to, OutboundPayload(held.index) + from, length);
      return Word(InboundPayload(held.index) + to);
    }
    case wire::ArgFlag::kValue:
      break;
  }
  return word;
}

// A call that the answer asks for.
GuestCall CallOf(const Held& held) {
  const wire::ReplyLine& line = held.line();
  const uint32_t packed = line.nr.Relaxed();
  GuestCall call = {static_cast<Nr>(wire::NrOf(packed)), {}};
  for (uint32_t i = 0; i < 6; ++i) call.args[i] = Argument(held, line.args[i].Relaxed(), wire::FlagOf(packed, i));
  return call;
}

int64_t Return(const Held& held, const GuestCall& call) {
  const wire::ReplyLine& line = held.line();
  const auto result = static_cast<int64_t>(line.args[0].Relaxed());
  for (uint32_t i = 1; i < 6; ++i) {
    const uint64_t word = line.args[i].Relaxed();
    if (!wire::IsCopyOut(word)) continue;
    const uint64_t offset = wire::CopyOutOffset(word);
    const uint64_t length = wire::CopyOutLength(word);
    const uint32_t argument = wire::CopyOutArg(word);
    if (argument >= 6 || offset > wire::kPayloadSize || length > wire::kPayloadSize - offset) {
      Panic(wire::PanicKind::kProtocol, "a result of the server lies outside its slot",
            {.nr = static_cast<uint64_t>(call.nr)});
    }
    const bool written = WriteGuest(call.args[argument], OutboundPayload(held.index) + offset, length);
    if (!written && (word & wire::kCopyOutMayFail) == 0 && !IsError(result)) return -EFAULT;
  }
  return result;
}

void RunStep(ThreadBlock* block, const Held& held, uint64_t key) {
  wire::RunLine& run = held.slot().run;
  const GuestCall call = CallOf(held);
  if (HasTrait(call, syscall::Trait::CallerOnly)) {
    Panic(wire::PanicKind::kProtocol, "the server asked for a call that only the guest can make",
          {.nr = static_cast<uint64_t>(call.nr)});
  }
  run.begun.Release(key);
  run.result.StoreRelaxed(static_cast<uint64_t>(PerformStep(block, call)));
  if (block->has_interruption) {
    run.state.Release(wire::StateWord(run.owner.Relaxed(), wire::SlotState::kInterrupted));
  }
  run.done.Release(key);
  RingFor(held);
}

// What a Tail of the server's becomes. Its arguments may lie in the slot's payload, which another thread may take: such
// a call is made here, before the slot is given back.
Outcome TailOf(ThreadBlock* block, const Held& held, const GuestCall& asked) {
  const GuestCall call = CallOf(held);
  const uint32_t packed = held.line().nr.Relaxed();
  if (packed >> 16 != 0) return Outcome::Done(PerformStep(block, call));
  return Same(call, asked) ? Outcome::Native() : Outcome::Tail(call);
}

Outcome OnLoss() { return LossPolicy() == wire::OnLoss::kNative ? Outcome::Native() : Outcome::Done(-EIO); }

}  // namespace

Outcome Reflect(ThreadBlock* block, const GuestCall& call, uint32_t epoch) {
  // A slot belongs to a thread that the server can tell from others.
  if (block->thread == kNoRecord) TakeThreadRecord(block);
  Held held;
  if (block->thread == kNoRecord || !Take(block, &held)) return OnLoss();
  wire::RequestSlot& slot = held.slot();
  const uint64_t sequence = slot.call.sequence.Relaxed() + 1;
  slot.call.nr.StoreRelaxed(static_cast<uint32_t>(call.nr));
  slot.call.epoch.StoreRelaxed(epoch);
  for (int i = 0; i < 6; ++i) slot.call.args[i].StoreRelaxed(call.args[i]);
  slot.run.thread.StoreRelaxed(block->thread);
  CopyArguments(call, InboundPayload(held.index), slot.run.copies);
  slot.call.sequence.Release(sequence);
  RingFor(held);

  for (uint32_t step = 1;; ++step) {
    const uint64_t key = wire::Key(sequence, step);
    if (!AwaitAnswer(held, key)) {
      Abandon(held);
      return OnLoss();
    }
    Outcome outcome;
    switch (static_cast<wire::Verb>(held.line().verb.Relaxed())) {
      case wire::Verb::kRun:
        RunStep(block, held, key);
        continue;
      case wire::Verb::kReturn:
        outcome = Outcome::Done(Return(held, call));
        break;
      case wire::Verb::kTail:
        outcome = TailOf(block, held, call);
        break;
      case wire::Verb::kNone:
      default:
        Panic(wire::PanicKind::kProtocol, "the server answered with an unknown verb",
              {.nr = static_cast<uint64_t>(call.nr)});
    }
    Free(held);
    return outcome;
  }
}

}  // namespace guise::shim
