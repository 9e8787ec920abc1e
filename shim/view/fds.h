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

// A number that no fd has: tables end before it (fs.nr_open of proc(5)). In a guarded one's place it makes the kernel
// say what it says of a number that is not open, where it looks at that argument at all, and after what it finds fault
// with first.
inline constexpr int32_t kNobodys = INT32_MAX;

// Answers calls that would take a guarded fd's number, or show one elsewhere than by an argument. False: not concerned,
// or kNobodys is in the place of the arguments that name one.
bool AnswerForFds(ThreadBlock* block, GuestCall* call, Outcome* outcome);

// Calls whose result must be looked through before the guest sees it (Look::kResult).
bool NeedsFilter(syscall::Nr nr);
// Performs and filters; value or -errno.
int64_t PerformFiltered(ThreadBlock* block, const GuestCall& call);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_FDS_H_
