#include "shim/filter/guest_dispatch.h"

#include <linux/prctl.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/filter/forced.h"
#include "shim/guest_memory.h"
#include "shim/signal/deliver.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr int kSysUserDispatch = 2;
constexpr uint64_t kUserEnd = uint64_t{1} << 47;
constexpr int kInclusiveOn = 2;  // PR_SYS_DISPATCH_INCLUSIVE_ON

// Since Linux 6.18. It looks at the selector last, so that nothing changes.
bool HasInclusive() {
  return Native(Nr::prctl, PR_SET_SYSCALL_USER_DISPATCH, kInclusiveOn, 1, 1, uint64_t{1} << 63) == -EFAULT;
}

}  // namespace

// ABI: kernel/entry/syscall_user_dispatch.c, task_set_syscall_user_dispatch().
int64_t SetGuestDispatch(ThreadBlock* block, const GuestCall& call) {
  const uint64_t start = call.args[2];
  const uint64_t length = call.args[3];
  const uint64_t selector = call.args[4];
  switch (call.args[1]) {
    case PR_SYS_DISPATCH_OFF:
      if (start != 0 || length != 0 || selector != 0) return -EINVAL;
      block->dispatch = {};
      return 0;
    case PR_SYS_DISPATCH_ON:
      if (start != 0 && start + length <= start) return -EINVAL;
      if (selector >= kUserEnd) return -EFAULT;
      block->dispatch = {.on = true, .start = start, .length = length, .selector = selector};
      return 0;
    case kInclusiveOn:
      if (length == 0 || start + length <= start || !HasInclusive()) return -EINVAL;
      if (selector >= kUserEnd) return -EFAULT;
      // All but the range, around the end of the address space.
      block->dispatch = {.on = true, .start = start + length, .length = -length, .selector = selector};
      return 0;
    default:
      return -EINVAL;
  }
}

// ABI: syscall_user_dispatch() of the same file.
bool DispatchedByGuest(ThreadBlock* block, ucontext* context, uint32_t nr, uint32_t arch) {
  const GuestDispatch& dispatch = block->dispatch;
  if (RegsOf(context)->rip - dispatch.start < dispatch.length) return false;
  if (dispatch.selector != 0) {
    uint8_t state = 0;
    if (!ReadGuest(&state, dispatch.selector)) {
      ForceSegv(block, 0, context);
      return true;
    }
    if (state == SYSCALL_DISPATCH_FILTER_ALLOW) return false;
    if (state != SYSCALL_DISPATCH_FILTER_BLOCK) {
      KillBySigsys(SigsysOf(context, kSysUserDispatch, nr, arch, 0));
      return true;
    }
  }
  ForceSigsys(block, context, SigsysOf(context, kSysUserDispatch, nr, arch, 0));
  return true;
}

}  // namespace guise::shim
