// What a sandbox's floor hides, shown as if it were not there. The floor has put an object of one file system over each
// hidden file (wire::Hiding), which the kernel lets nobody open; here, calls that meet one are told what the kernel
// tells of a name that is not there, and directories do not list it. An illusion: nothing rests on it.
#ifndef GUISE_SHIM_VIEW_HIDING_H_
#define GUISE_SHIM_VIEW_HIDING_H_

#include "shim/gate/call.h"

namespace guise::shim {

// Whether anything is hidden from this session.
bool Hides();

// Whether the call may meet something hidden: for PerformHiding() to make.
bool MayMeetHidden(const GuestCall& call);

// Makes such a call; value or -errno.
int64_t PerformHiding(ThreadBlock* block, const GuestCall& call);

// Whether the path leads to something hidden, or through it. `path`: of the guest or the shim's own.
bool LeadsToHidden(int32_t dir_fd, uint64_t path, bool follows);
// Whether it leads through a hidden directory and back again by "..", which the kernel lets pass.
bool LeadsThroughHidden(int32_t dir_fd, uint64_t path);
// Whether the directory's entry is hidden: `name` is read by the kernel.
bool IsEntryHidden(int32_t dir_fd, uint64_t ino, uint64_t name);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_HIDING_H_
