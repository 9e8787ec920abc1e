// What the launcher asks of the place that it runs in, before it makes a session.
#ifndef GUISE_SERVER_LAUNCH_SURROUNDINGS_H_
#define GUISE_SERVER_LAUNCH_SURROUNDINGS_H_

#include "absl/status/status.h"

namespace guise::server {

// FAILED_PRECONDITION when this process is itself a guest: a session's memory is mapped in it. The server refuses such
// callers too; this one is for those that would start a server of their own inside.
absl::Status CheckNotAGuest();

// UNIMPLEMENTED on a kernel without Syscall User Dispatch (Linux 5.11, CONFIG_GENERIC_ENTRY).
absl::Status CheckSyscallUserDispatch();

// Puts /dev/null, close-on-exec, in the place of each of stdin, stdout and stderr that is closed: so no fd of ours lies
// there, and the guest finds them closed as the caller left them.
void OccupyStandardFds();

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_SURROUNDINGS_H_
