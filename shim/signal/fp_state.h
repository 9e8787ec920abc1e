// The FP state in a signal frame, arch/x86/include/uapi/asm/sigcontext.h: an fxsave area whose software bytes say
// whether the CPU's extended state follows.
#ifndef GUISE_SHIM_SIGNAL_FP_STATE_H_
#define GUISE_SHIM_SIGNAL_FP_STATE_H_

#include <stdint.h>

#include "shim/kernel.h"

namespace guise::shim {

inline constexpr uint64_t kFxSize = 512;

// The software bytes. REQUIRES: readable memory at `fpstate`.
_fpx_sw_bytes SoftwareBytesOf(uint64_t fpstate);

// Whether it is a whole xsave area, of which xrstor(2) makes what the kernel would.
bool IsExtended(const _fpx_sw_bytes& software);

// Of the frame, in bytes. REQUIRES: as above.
uint64_t FpSize(uint64_t fpstate);

// Loads the state that a frame of the guest's holds. `known`: the software bytes of the kernel's frames in this
// process. False: it is another layout, or not there, or nothing that the CPU takes; then the registers are anything.
[[nodiscard]] bool LoadGuestFp(uint64_t fpstate, const _fpx_sw_bytes& known);

// The same of the kernel's own frame. REQUIRES: IsExtended.
void LoadKernelFp(uint64_t fpstate);

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_FP_STATE_H_
