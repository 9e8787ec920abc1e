// The seccomp filter of sandboxed sessions: what no guest of one has business with, and what would be a way around its
// namespaces. It is made when Guise is built (made_filters.h).
#ifndef GUISE_SERVER_FLOOR_SANDBOX_FILTER_H_
#define GUISE_SERVER_FLOOR_SANDBOX_FILTER_H_

#include <linux/filter.h>

#include <vector>

#include "absl/status/statusor.h"

namespace guise::server {

// What nothing else keeps inside, so that the filter has to.
struct FilterGaps {
  // Signals to the caller's process group, and those that the kernel sends for a descriptor, are refused.
  bool signals = false;
  // A file that is for reading is not truncated: refused are truncate(2), opening for that without
  // writing, and openat2, whose flags a filter does not see.
  bool lengths = false;
  // There are no namespaces: calls that name processes, other than the caller, or objects by System V's or message
  // queues' names are refused, and so are watches on files, which may be hidden ones, and sockets, but for those of
  // IPv4 and IPv6.
  bool namespaces = false;
  // Those are refused, too.
  bool network = false;
  // The caller's user is somebody outside whose privileges others lack, root: no file gets a set-user-ID or
  // set-group-ID bit, by which it would lend them out there. openat2 is refused, whose mode a filter does not see.
  bool set_ids = false;
};
// Each combination of gaps has a number.
inline constexpr unsigned kFilterKinds = 32;
constexpr unsigned KindOf(const FilterGaps& gaps) {
  return (gaps.signals ? 1 : 0) | (gaps.lengths ? 2 : 0) | (gaps.namespaces ? 4 : 0) | (gaps.network ? 8 : 0) |
         (gaps.set_ids ? 16 : 0);
}
constexpr FilterGaps GapsOf(unsigned kind) {
  return {(kind & 1) != 0, (kind & 2) != 0, (kind & 4) != 0, (kind & 8) != 0, (kind & 16) != 0};
}

// Refused: the table's sensitive calls (mounts, namespaces, tracing, other processes' memory, modules, keys, bpf,
// io_uring,
// ...) but those that change the caller alone; clone(2) with a new namespace; ioctl(2) that types for others (TIOCSTI,
// TIOCLINUX), takes a terminal from them (TIOCSETD, TIOCEXCL, TCXONC's off) or sets attributes of files beside mode and
// times; leases; socket families but unix, IPv4, IPv6 and netlink's routes, of pairs too; calls of
// other architectures, and those that the table does not know yet.
// RESOURCE_EXHAUSTED, INTERNAL. Other calls by the caller's process group, of which the launcher is one, always are.
absl::StatusOr<std::vector<sock_filter>> SandboxFilter(const FilterGaps& gaps);

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_SANDBOX_FILTER_H_
