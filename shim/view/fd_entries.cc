#include "shim/view/fd_entries.h"

#include "shim/guest_memory.h"
#include "shim/view/fds.h"

namespace guise::shim {
namespace {

// Puts `to` in place of each entry's fd that is `from`; how many.
uint64_t Replace(const Entries& entries, int32_t from, int32_t to) {
  uint64_t replaced = 0;
  for (uint64_t i = 0; i < entries.count; ++i) {
    const uint64_t at = entries.at + i * entries.stride;
    int32_t fd;
    if (!ReadGuest(&fd, at)) return replaced;
    if (fd == from && WriteGuest(at, to)) ++replaced;
  }
  return replaced;
}

}  // namespace

bool PerformWithout(const ProcessState& process, const Entries* lists, size_t list_count, const GuestCall& call,
                    Outcome* outcome) {
  uint64_t replaced = 0;
  int32_t nobodys = kNobodys;
  for (const int32_t fd : GuardedFds(process)) {
    if (fd < 0) continue;
    for (size_t i = 0; i < list_count; ++i) replaced += Replace(lists[i], fd, nobodys);
    --nobodys;
  }
  if (replaced == 0) return false;
  *outcome = Outcome::Done(Perform(call));
  nobodys = kNobodys;
  for (const int32_t fd : GuardedFds(process)) {
    if (fd < 0) continue;
    for (size_t i = 0; i < list_count; ++i) Replace(lists[i], nobodys, fd);
    --nobodys;
  }
  return true;
}

}  // namespace guise::shim
