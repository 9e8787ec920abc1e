#include "shim/rewrite/patcher.h"

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/syscall.h"

namespace guise::shim {
namespace {

wire::Cell<uint32_t> g_patching;  // odd: a thread is at it

}  // namespace

Patcher::Patcher(Patience patience) {
  // A child of vfork that was killed in the middle gives nothing back.
  constexpr uint32_t kMostRounds = 1 << 16;
  for (uint32_t round = 0; round < kMostRounds; ++round) {
    before_ = g_patching.Relaxed();
    holds_ = IsIdle(before_) && g_patching.CompareSwap(before_, before_ + 1);
    if (holds_ || patience == Patience::kNone) return;
    // The other thread has a lower priority, perhaps.
    Native(syscall::Nr::sched_yield);
  }
}

Patcher::~Patcher() {
  if (holds_) g_patching.Release(before_ + 2);
}

uint32_t Patcher::Sequence() { return g_patching.Acquire(); }

void ForgetPatcher() {
  const uint32_t sequence = g_patching.Relaxed();
  if (!Patcher::IsIdle(sequence)) g_patching.StoreRelaxed(sequence + 1);
}

Others OthersOf(const ThreadBlock* block) {
  // Makers are blocks in use, each a different one: who has not more others than makers has no others but them. So each
  // block is looked at once, however deep a program nests vfork(2), and few are where threads run.
  uint32_t makers = 0;
  for (const ThreadBlock* maker = block->vfork_maker; maker != nullptr; maker = maker->vfork_maker) ++makers;
  // A thread that ends meanwhile may have made one whose block was looked at before.
  const uint32_t taken = BlocksTaken();
  uint32_t others = 0;
  for (const ThreadBlock* other = FirstBlock(); other != nullptr && others <= makers; other = other->next) {
    if (other != block && other->used.Acquire() != 0) ++others;
  }
  if (others > makers || BlocksTaken() != taken) return Others::kRun;
  return others == 0 ? Others::kNone : Others::kWait;
}

}  // namespace guise::shim
