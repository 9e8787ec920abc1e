// The seccomp filter of sandboxed sessions: what no guest of one has business with, and what would be a way around its
// namespaces.
#ifndef GUISE_SERVER_FLOOR_SANDBOX_FILTER_H_
#define GUISE_SERVER_FLOOR_SANDBOX_FILTER_H_

#include <linux/filter.h>

#include <vector>

#include "absl/status/statusor.h"

namespace guise::server {

// Refused: the table's sensitive calls (mounts, namespaces, tracing, other processes' memory, modules, keys, bpf,
// io_uring,
// ...) but those that change the caller alone; clone(2) with a new namespace; ioctl(2) that types for others (TIOCSTI,
// TIOCLINUX) or sets attributes of files beside mode and times; leases; socket families but unix, IPv4, IPv6 and
// netlink's routes; calls of other architectures. RESOURCE_EXHAUSTED, INTERNAL.
// `keeps_signals`: something else keeps signals to the caller's process group, of which the launcher is one, and to a
// terminal's inside; else they are refused. Other calls by the group always are.
absl::StatusOr<std::vector<sock_filter>> SandboxFilter(bool keeps_signals);

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_SANDBOX_FILTER_H_
