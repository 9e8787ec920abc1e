// The floor of sessions whose kernel is to be generic: the calls that x86_64 has beyond the asm-generic table, which
// newer architectures share, are refused with ENOSYS by the kernel itself. What goes around the shim meets it, too.
#ifndef GUISE_SERVER_FLOOR_GENERIC_KERNEL_H_
#define GUISE_SERVER_FLOOR_GENERIC_KERNEL_H_

#include <linux/filter.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace guise::server {

// The seccomp filter. Not refused: what the kernel's own code in a process calls (uretprobe, uprobe), and arch_prctl
// where programs cannot set %fs without it (a CPU without FSGSBASE). RESOURCE_EXHAUSTED, INTERNAL.
absl::StatusOr<std::vector<sock_filter>> GenericKernelFilter();

// What the filter lets pass because of a CPU with these features (AT_HWCAP2 of getauxval(3)), and why, for people;
// empty: nothing.
std::string ExceptedForCpu(unsigned long hwcap2);

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_GENERIC_KERNEL_H_
