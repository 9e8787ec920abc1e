// What Landlock says of programs that the guest runs. The kernel runs the shim's image, and the shim the program: so
// the image must be allowed, and the program asked for (judge.h).
#ifndef GUISE_SHIM_EXEC_LANDLOCK_H_
#define GUISE_SHIM_EXEC_LANDLOCK_H_

#include <stdint.h>

#include "shim/gate/call.h"

namespace guise::shim {

// The process is about to restrict itself by the ruleset: adds to it that the image may be run.
void LetImageRun(ProcessState* process, int32_t ruleset);

// landlock_restrict_self(2): value or -errno.
int64_t RestrictSelf(ThreadBlock* block, const GuestCall& call);

}  // namespace guise::shim

#endif  // GUISE_SHIM_EXEC_LANDLOCK_H_
