// Fds in the guest's memory, which a call is made without: what the guarded ones among them are to a call.
#ifndef GUISE_SHIM_VIEW_FD_ENTRIES_H_
#define GUISE_SHIM_VIEW_FD_ENTRIES_H_

#include <stddef.h>
#include <stdint.h>

#include "shim/gate/call.h"

namespace guise::shim {

// Larger lists than any RLIMIT_NOFILE are refused by the kernel.
inline constexpr uint64_t kMostFds = uint64_t{1} << 20;

struct Entries {
  uint64_t at;  // of the first entry's fd, of 32 bits
  uint64_t stride;
  uint64_t count;
};
constexpr Entries OneFdAt(uint64_t at) { return {at, 0, 1}; }

// Makes the call with a number that nobody has in place of each guarded one, and puts them back. False: there are none.
bool PerformWithout(const ProcessState& process, const Entries* lists, size_t list_count, const GuestCall& call,
                    Outcome* outcome);

inline bool PerformWithout(const ProcessState& process, const Entries& entries, const GuestCall& call,
                           Outcome* outcome) {
  return PerformWithout(process, &entries, 1, call, outcome);
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_FD_ENTRIES_H_
