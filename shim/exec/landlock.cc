#include "shim/exec/landlock.h"

#include <linux/landlock.h>

#include <initializer_list>

#include "shim/arch/x86_64/syscall.h"
#include "shim/kernel.h"
#include "shim/thread/records.h"

namespace guise::shim {

using syscall::Nr;

void LetImageRun(ProcessState* process, int32_t ruleset) {
  process->landlocked = true;
  // A rule may name only what its ruleset handles; of the two, an exec needs what is handled.
  constexpr uint64_t kExecute = LANDLOCK_ACCESS_FS_EXECUTE;
  constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE;
  for (const uint64_t access : {kExecute | kRead, kExecute, kRead}) {
    const landlock_path_beneath_attr image = {.allowed_access = access, .parent_fd = process->image_fd};
    if (!IsError(Native(Nr::landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &image, 0))) return;
  }
}

int64_t RestrictSelf(ThreadBlock* block, const GuestCall& call) {
  const int64_t result = Perform(call);
  // Without a ruleset it says only what is logged.
  if (!IsError(result) && static_cast<int32_t>(call.args[0]) != -1) NoteLandlockLayer(block->process);
  return result;
}

}  // namespace guise::shim
