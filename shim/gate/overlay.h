// The stat family under published overlays: one native statx, and a look-up.
#ifndef GUISE_SHIM_GATE_OVERLAY_H_
#define GUISE_SHIM_GATE_OVERLAY_H_

#include "shim/gate/call.h"
#include "shim/gate/published.h"

namespace guise::shim {

// REQUIRES: call.nr is stat, fstat, lstat, newfstatat or statx; others run natively.
Outcome StatWithOverlay(ThreadBlock* block, const GuestCall& call, const OverlayView& view);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_OVERLAY_H_
