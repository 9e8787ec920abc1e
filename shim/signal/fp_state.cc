#include "shim/signal/fp_state.h"

#include "shim/arch/x86_64/gates.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"

namespace guise::shim {
namespace {

// ABI: arch/x86/include/uapi/asm/sigcontext.h, fpx_sw_bytes: the last bytes of the 512.
constexpr uint64_t kSoftwareBytes = 464;
// ABI: arch/x86/kernel/fpu/signal.c, check_xstate_in_sigframe(): nothing is extended that does not hold the fxsave area
// and a header. A CPU without xsave has the magic too, and a size that counts four bytes which its frame does not have.
constexpr uint64_t kLeastXstate = kFxSize + 64;

bool Same(const _fpx_sw_bytes& a, const _fpx_sw_bytes& b) {
  return a.magic1 == b.magic1 && a.extended_size == b.extended_size && a.xfeatures == b.xfeatures &&
         a.xstate_size == b.xstate_size;
}

bool Load(uint64_t fpstate, const _fpx_sw_bytes& software) {
  return guise_load_xstate(reinterpret_cast<const void*>(fpstate), software.xfeatures) == 0;
}

}  // namespace

_fpx_sw_bytes SoftwareBytesOf(uint64_t fpstate) {
  _fpx_sw_bytes software;
  memcpy(&software, reinterpret_cast<const char*>(fpstate) + kSoftwareBytes, sizeof(software));
  return software;
}

bool IsExtended(const _fpx_sw_bytes& software) {
  return software.magic1 == FP_XSTATE_MAGIC1 && software.xstate_size >= kLeastXstate;
}

uint64_t FpSize(uint64_t fpstate) {
  const _fpx_sw_bytes software = SoftwareBytesOf(fpstate);
  return IsExtended(software) ? software.extended_size : kFxSize;
}

bool LoadGuestFp(uint64_t fpstate, const _fpx_sw_bytes& known) {
  if (!IsExtended(known)) return false;
  _fpx_sw_bytes software;
  if (!ReadGuest(&software, fpstate + kSoftwareBytes) || !Same(software, known)) return false;
  // ABI: without its end the frame counts as cut off, check_xstate_in_sigframe().
  uint32_t end = 0;
  if (!ReadGuest(&end, fpstate + software.xstate_size) || end != FP_XSTATE_MAGIC2) return false;
  return Load(fpstate, software);
}

void LoadKernelFp(uint64_t fpstate) { Load(fpstate, SoftwareBytesOf(fpstate)); }

}  // namespace guise::shim
