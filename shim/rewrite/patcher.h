// Who may rewrite sites: one thread at a time.
#ifndef GUISE_SHIM_REWRITE_PATCHER_H_
#define GUISE_SHIM_REWRITE_PATCHER_H_

#include <stdint.h>

#include "shim/thread/block.h"

namespace guise::shim {

class Patcher {
 public:
  enum class Patience { kNone, kWaits };

  explicit Patcher(Patience patience);
  ~Patcher();
  Patcher(const Patcher&) = delete;
  Patcher& operator=(const Patcher&) = delete;
  bool holds() const { return holds_; }

  // Changes with every patcher that comes or goes.
  static uint32_t Sequence();
  static bool IsIdle(uint32_t sequence) { return (sequence & 1) == 0; }

 private:
  uint32_t before_;
  bool holds_;
};

// In a fork child: the parent's threads do not go on with what they were doing.
void ForgetPatcher();

// What the other threads of this memory do: there is none; all wait in vfork(2) for this one's exec or end, or for
// that of one that waits for it, and serialize when they come back (thread/clone.cc); or some may run.
enum class Others : uint8_t { kNone, kWait, kRun };
Others OthersOf(const ThreadBlock* block);
inline bool IsAlone(const ThreadBlock* block) { return OthersOf(block) == Others::kNone; }

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_PATCHER_H_
