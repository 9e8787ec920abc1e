// What a sandbox's floor hides, shown as if it were not there. The floor has put an object of one file system over each
// hidden file (wire::Hiding), which the kernel lets nobody open; here, calls that meet one fail with ENOENT, and
// directories do not list it. An illusion: nothing rests on it.
#ifndef GUISE_SHIM_VIEW_HIDING_H_
#define GUISE_SHIM_VIEW_HIDING_H_

#include <linux/stat.h>

#include "shim/gate/call.h"

namespace guise::shim {

// Whether the call may meet something hidden, so that its result is for Hide() to see.
bool MayMeetHidden(const GuestCall& call);

// Makes such a call; value or -errno.
int64_t PerformHiding(ThreadBlock* block, const GuestCall& call);

// Whether the path names something hidden. `path`: of the guest or the shim's own.
bool IsHidden(int32_t dir_fd, uint64_t path, bool follows);
// Whether the file that the status is of is hidden.
bool IsHidden(const struct statx& status);
// Whether the directory's entry is: `name` is read by the kernel.
bool IsEntryHidden(int32_t dir_fd, uint64_t ino, uint64_t name);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_HIDING_H_
