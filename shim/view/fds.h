// The guarded fds: the descriptors of the shim's, three of the session and the program's, which the guest does not see.
// A guest that wants one of the numbers gets it: the shim moves away.
#ifndef GUISE_SHIM_VIEW_FDS_H_
#define GUISE_SHIM_VIEW_FDS_H_

#include "shim/gate/call.h"

namespace guise::shim {

inline bool IsGuarded(const ProcessState& process, int32_t fd) {
  return fd >= 0 &&
         (fd == process.image_fd || fd == process.request_fd || fd == process.reply_fd || fd == process.program_fd);
}

// Answers calls that name a guarded fd, and those that would take one's number. False: not concerned.
bool AnswerForFds(ThreadBlock* block, const GuestCall& call, Outcome* outcome);

// Calls whose result must be looked through before the guest sees it (Look::kResult).
bool NeedsFilter(syscall::Nr nr);
// Performs and filters; value or -errno.
int64_t PerformFiltered(ThreadBlock* block, const GuestCall& call);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_FDS_H_
