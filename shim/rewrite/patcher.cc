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
  const auto waits = [block](const ThreadBlock* other) {
    const ThreadBlock* maker = block->vfork_maker;
    while (maker != nullptr && maker != other) maker = maker->vfork_maker;
    return maker != nullptr;
  };
  // A thread that ends meanwhile may have made one whose block was looked at before.
  const uint32_t taken = BlocksTaken();
  Others others = Others::kNone;
  ForOtherBlocks(block, [&](const ThreadBlock* other) {
    if (!waits(other)) {
      others = Others::kRun;
    } else if (others == Others::kNone) {
      others = Others::kWait;
    }
  });
  return BlocksTaken() == taken ? others : Others::kRun;
}

}  // namespace guise::shim
