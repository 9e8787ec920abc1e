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

// Whether the process has one thread.
bool IsAlone(const ThreadBlock* block);

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_PATCHER_H_
