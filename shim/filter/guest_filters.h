// The guest's own seccomp filters. They are kept and run here, not by the kernel: there they would meet the shim's
// calls as well, which a program's filter does not know of. In the kernel an empty filter stands for each, so that
// permissions, thread synchronisation and what /proc shows are the kernel's own.
//
// The price: who runs code in the guest can go around them, by the shim's own syscall instructions. A session that
// wants them to be a boundary keeps them in the kernel too (Published, kExactSeccomp).
#ifndef GUISE_SHIM_FILTER_GUEST_FILTERS_H_
#define GUISE_SHIM_FILTER_GUEST_FILTERS_H_

#include <linux/filter.h>

#include "shim/gate/call.h"

namespace guise::shim {

// Newest first. Made once, never freed nor changed, shared by threads; a fork child has a copy.
struct GuestFilter {
  const GuestFilter* next;
  uint32_t length;  // 0: SECCOMP_MODE_STRICT
  sock_filter program[];
};
constexpr size_t FilterSize(uint32_t length) { return sizeof(GuestFilter) + length * sizeof(sock_filter); }

// seccomp(2), and prctl(2) with PR_SET_SECCOMP: puts a filter before the thread's. False: another operation.
bool AnswerSeccomp(ThreadBlock* block, const GuestCall& call, Outcome* outcome);

// What the thread's filters say of a call: true when they stop it, and then `outcome` says what becomes of it, or a
// SIGSYS has been delivered. One that ends the thread becomes exit(2). arch: AUDIT_ARCH_*.
// REQUIRES: the thread has filters; the context is the site's.
bool StoppedByFilter(ThreadBlock* block, ucontext* context, GuestCall* call, uint32_t arch, Outcome* outcome);

// Over an exec: strings of the environment hand filters over, oldest first.
uint32_t CountFilters(const GuestFilter* filters);
// Of all of them, with their NULs.
size_t FilterTextSize(const GuestFilter* filters);
// Writes all of them to `to`, and their addresses to what lies before `end`; returns the end of the text.
char* WriteFilters(const GuestFilter* filters, uint64_t* end, char* to);
// Takes one over; false: not such a text, or no memory.
bool ReadFilter(ThreadBlock* block, const char* text);

}  // namespace guise::shim

#endif  // GUISE_SHIM_FILTER_GUEST_FILTERS_H_
