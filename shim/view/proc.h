// The process view: what a guest reads of itself in /proc where the kernel would show the shim.
#ifndef GUISE_SHIM_VIEW_PROC_H_
#define GUISE_SHIM_VIEW_PROC_H_

#include "shim/arch/x86_64/offsets.h"
#include "shim/gate/call.h"

namespace guise::shim {

// The path that stands for `path`: one that leads to the program for /proc/self/exe and its other names, the block's;
// else `path` itself.
const char* ProcPath(ThreadBlock* block, const char* path);

// Five bytes (guise_prefix) tell nearly all paths apart from those that the view knows.
constexpr uint64_t PathPrefix(const char (&text)[6]) {
  uint64_t prefix = 0;
  for (int i = 0; i < 5; ++i) prefix |= uint64_t{static_cast<uint8_t>(text[i])} << (8 * i);
  return prefix;
}
// Stubs compare four (offsets.h).
static_assert((PathPrefix("/proc") & 0xffffffff) == GUISE_PATH_PROC);
static_assert((PathPrefix("/dev/") & 0xffffffff) == GUISE_PATH_DEV);
inline bool MayBeKnown(uint64_t prefix) { return prefix == PathPrefix("/proc") || prefix == PathPrefix("/dev/"); }

// Answers calls by path that would show the image or a guarded fd, or gives the call another path and leaves it to the
// session (false, as for calls that are not concerned).
bool AnswerForProc(ThreadBlock* block, GuestCall* edited, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_PROC_H_
