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
struct SandboxLayers {
  // Something else keeps signals to the caller's process group, of which the launcher is one, and to a terminal's
  // inside; else they are refused. Other calls by the group always are.
  bool keeps_signals = false;
  // Else calls that name processes, other than the caller, or objects by System V's or message queues' names are
  // refused, and so are sockets, but for those of IPv4 and IPv6 with `has_network`.
  bool has_namespaces = true;
  bool has_network = true;
};
absl::StatusOr<std::vector<sock_filter>> SandboxFilter(const SandboxLayers& layers);

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_SANDBOX_FILTER_H_
