// What the kernel says of a process, to check what a record in request memory says of it.
//
// Thread safety: functions; a Pidfd's owner is its only user.
#ifndef GUISE_SERVER_GUEST_PROCESS_H_
#define GUISE_SERVER_GUEST_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "server/reactor/owned_fd.h"

namespace guise::server {

// From /proc/PID/stat.
struct ProcessStatus {
  pid_t parent = 0;
  char state = 0;           // 'Z', 'X': dead
  bool is_kernels = false;  // a thread of the kernel's
  uint64_t started_at = 0;  // CLOCK_BOOTTIME in ns, rounded down to a clock tick
};
// nullopt: no such process, or /proc does not show it.
std::optional<ProcessStatus> ReadProcessStatus(pid_t pid);
// For tests. `stat` is the file's contents; nullopt: not in its form.
std::optional<ProcessStatus> ParseProcessStatus(std::string_view stat, int64_t ticks_per_second);

// Whether a process that `was_there_at` (CLOCK_BOOTTIME, ns) can be this one, and not one that has got its pid since.
bool WasThere(const ProcessStatus& status, uint64_t was_there_at);

enum class Presence {
  kThere,    // the process that was there then
  kYounger,  // one that has begun since, or so its clock and ours say
  kNone,     // no such process, a dead one that waits to be reaped, or one that never was a program
};
// Looks for the process with this pid; kThere: *pidfd is its.
Presence OpenGuest(pid_t pid, uint64_t was_there_at, OwnedFd* pidfd);

// Whether the process is in a pid namespace below this process's own, or cannot be told to be in none.
bool IsInNamespaceBelow(pid_t pid);
// The processes of other pid namespaces, below this process's own, by what they are called in theirs. Reads all of
// /proc.
std::multimap<pid_t, pid_t> PidsInNamespaces();
// How often that has been done, for tests.
uint64_t LooksThroughProc();

enum class Uses { kNo, kYes, kUnknown };
// Whether the process has the file open or mapped (a memfd has an inode of its own): both, since execve(2) leaves only
// the fds for a moment. kUnknown: the kernel does not say.
Uses UsesFile(pid_t pid, dev_t device, ino_t inode);

// Whether the thread exists in the process.
bool HasThread(pid_t pid, pid_t tid);

}  // namespace guise::server

#endif  // GUISE_SERVER_GUEST_PROCESS_H_
