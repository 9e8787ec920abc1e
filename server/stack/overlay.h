// What the shim does for an Overlay claim, done by the server: when the call was moved here, or when a reader met an
// entry that was being written.
#ifndef GUISE_SERVER_STACK_OVERLAY_H_
#define GUISE_SERVER_STACK_OVERLAY_H_

#include "personalities/api/call.h"
#include "personalities/api/task.h"
#include "server/stack/epoch.h"

namespace guise::server {

// stat, lstat, fstat, newfstatat or statx: one native statx, and the owners that guests are shown laid over it. uname:
// the native one, and the kernel's look laid over it.
api::SysTask ServeOverlay(const Epoch& epoch, api::Call& call);

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_OVERLAY_H_
