// What a process has that a sandbox is about.
#ifndef GUISE_SERVER_FLOOR_PRIVILEGES_H_
#define GUISE_SERVER_FLOOR_PRIVILEGES_H_

#include <linux/filter.h>

#include <vector>

namespace guise::server {

// Takes away what could bring capabilities back: an exec by uid 0 gains nothing either. False: errno, EPERM without
// CAP_SETPCAP. Async-signal-safe.
bool LockCapabilities();

// All capabilities that the process has. They stay away if they are locked, or if no_new_privs follows. False: errno.
// Async-signal-safe.
bool DropCapabilities();

// Puts a system call filter in force, with no_new_privs where the process may not do so without. False: errno.
// Async-signal-safe.
bool InstallFilter(const std::vector<sock_filter>& filter);

// Whether one of the standard descriptors is this process's controlling terminal.
bool HasTerminal();

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_PRIVILEGES_H_
