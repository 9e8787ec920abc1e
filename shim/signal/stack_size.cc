#include "shim/signal/stack_size.h"

#include <asm/prctl.h>

#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/signal/actions.h"

namespace guise::shim {
namespace {

using syscall::Nr;

uint64_t g_frame_size;

// Makes the call while the kernel takes this thread's alternate stack to be of the given size. Nothing may come
// meanwhile. Its result, or what the kernel says of the size.
template <typename Call>
int64_t WithStackOf(const ThreadBlock* block, uint64_t size, Call call) {
  AltStack stack = {StackOf(block), 0, 0, size};
  const GuestCall set = {Nr::sigaltstack, {Word(&stack), 0}};
  SignalSet mask = 0;
  Native(Nr::rt_sigprocmask, SIG_SETMASK, &kEverything, &mask, sizeof(mask));
  int64_t result = guise_perform_off_stack(&set);
  if (!IsError(result)) {
    result = call();
    stack.size = kBlockStackSize;
    guise_perform_off_stack(&set);
  }
  Native(Nr::rt_sigprocmask, SIG_SETMASK, &mask, nullptr, sizeof(mask));
  return result;
}

uint64_t SmallestStack(const ThreadBlock* block) {
  uint64_t smallest = UINT64_MAX;
  const auto look = [&](const ThreadBlock* other) {
    const uint64_t size = other->alt_stack.size;
    if (other->process == block->process && size != 0 && size < smallest) smallest = size;
  };
  look(block);
  ForOtherBlocks(block, look);
  return smallest;
}

}  // namespace

void NoteFrameSize(uint64_t frame) { g_frame_size = frame; }

bool IsGoodStackSize(ThreadBlock* block, uint64_t size) {
  constexpr uint64_t kSmallest = 2048;  // MINSIGSTKSZ of x86_64
  if (size < kSmallest) return false;
  return size >= g_frame_size || !IsError(WithStackOf(block, size, [] { return int64_t{0}; }));
}

bool AnswerStateRequest(ThreadBlock* block, const GuestCall& call, Outcome* outcome) {
  if (static_cast<int32_t>(call.args[0]) != ARCH_REQ_XCOMP_PERM) return false;
  const uint64_t size = SmallestStack(block);
  if (size >= g_frame_size) return false;
  *outcome = Outcome::Done(WithStackOf(block, size, [&] { return Perform(call); }));
  return true;
}

}  // namespace guise::shim
