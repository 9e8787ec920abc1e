#include "shim/view/barriers.h"

#include <linux/membarrier.h>

#include "proto/wire/cell.h"

namespace guise::shim {
namespace {

// ABI: include/uapi/linux/membarrier.h, MEMBARRIER_CMD_GET_REGISTRATIONS, Linux 6.3.
constexpr uint32_t kGetRegistrations = 1u << 9;

// Of this memory, as in the kernel: a child of fork has it too, and so has one of vfork; an exec ends it.
wire::Cell<uint32_t> g_registered;

}  // namespace

bool AnswerForBarriers(const GuestCall& call, Outcome* outcome) {
  const auto command = static_cast<uint32_t>(call.args[0]);
  const auto flags = static_cast<uint32_t>(call.args[1]);
  if (flags != 0 || g_registered.Acquire() != 0) return false;
  switch (command) {
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
      // A kernel that refuses it refuses the barrier.
      g_registered.Release(1);
      return false;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
    case kGetRegistrations:
      break;
    default:
      return false;
  }
  int64_t result = Perform(call);
  if (!IsError(result)) {
    result =
        command == kGetRegistrations ? result & ~int64_t{MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE} : -EPERM;
  }
  *outcome = Outcome::Done(result);
  return true;
}

}  // namespace guise::shim
