// Reading the published page: where a call is answered, and by what.
#ifndef GUISE_SHIM_GATE_PUBLISHED_H_
#define GUISE_SHIM_GATE_PUBLISHED_H_

#include "proto/wire/published.h"
#include "proto/wire/records.h"
#include "shim/gate/call.h"
#include "shim/thread/block.h"

namespace guise::shim {

// An action, copied: of the fields those that the verb has.
struct ActionCopy {
  wire::ActionVerb verb;
  uint8_t count;
  uint8_t from[6];
  uint32_t nr;
  uint8_t differ[2];
  uint8_t asks;    // wire::AskOn
  uint8_t tested;  // kAttempt
  uint32_t bits;   // kAttempt
  int64_t value;
  int32_t constants[4];
};

// What overlays need of the page.
struct OverlayView {
  uint64_t offset, old_offset;
  uint32_t log2, old_log2;
  uint32_t flags;  // wire::PublishedFlag
  uint32_t owner_from, owner_to, group_from, group_to;
};

// One consistent reading. The thread is in the gate under `epoch` from then on, until LeaveGate.
struct Decision {
  wire::Placement placement;
  uint32_t epoch;
  ActionCopy action;    // with kShim
  OverlayView overlay;  // with ActionVerb::kOverlay: an answer and the epoch that it is counted under never disagree
};

// While no server lives to finish a half-written page, the answer is what the loss policy says: placement kKernel, or
// an action that denies with EIO.
Decision EnterGate(ThreadBlock* block, const GuestCall& call);
// What was decided is done: draining does not wait for the thread any more.
void LeaveGate(ThreadBlock* block);

// For counting calls that no epoch decides.
uint32_t CurrentEpoch();

// What guests are told of the kernel. False: the host's own.
struct KernelLookCopy {
  char release[wire::KernelLook::kText];
  char version[wire::KernelLook::kText];
};
bool ReadKernelLook(KernelLookCopy* look);
// The page whose calls the shim answers; 0: none.
uint64_t VsyscallPage();

// By the keeper's word. False: claimed calls follow LossPolicy().
bool ServerAlive();
wire::OnLoss LossPolicy();

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_PUBLISHED_H_
