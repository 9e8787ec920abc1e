// Where stubs of rewritten sites lie: one area in the image, which dispatch lets through, and far ones next to text
// that the image's cannot be reached from. A stub is never given back; a process that has no room left has its calls
// caught as before.
#ifndef GUISE_SHIM_REWRITE_AREAS_H_
#define GUISE_SHIM_REWRITE_AREAS_H_

#include <stddef.h>
#include <stdint.h>

#include "shim/rewrite/stub_code.h"

namespace guise::shim {

// Bytes that end a stretch of code in user mode with SIGSEGV, whatever stands behind them.
bool IsTrapByte(uint8_t byte);

// A place for a stub, and the jump that leads to it from a site.
struct Place {
  uint64_t head;  // 0: there is no room
  bool far;
};

// Where the jump's displacement has to be of a certain kind, and where not.
enum class JumpPlace { kSite, kApart };

// For a stub of head and code of `near_size` or `far_size` bytes, whose code a jmp rel32 at `jump` reaches, with a
// displacement of which the lowest byte is that of a syscall instruction, so that jump and syscall differ in their
// first byte alone, and the next a trap byte, because it comes to lie where the syscall returns to; kApart: with any
// displacement. REQUIRES: the caller is the process's one patcher.
Place TakePlace(uint64_t jump, JumpPlace where, size_t near_size, size_t far_size);

// The head of the stub that `rip` lies in, or null.
const StubHead* HeadAt(uint64_t rip);
inline uint64_t CodeOf(const StubHead* head) { return reinterpret_cast<uint64_t>(head) + sizeof(StubHead); }

// Calls `visit` with each stub's head.
template <typename Visit>
void ForStubs(Visit visit);

// All areas that there are, for those who guard the shim's memory. Size 0: none.
struct StubArea {
  uint64_t start;
  uint64_t size;
};
inline constexpr uint32_t kStubAreas = 9;
StubArea StubAreaAt(uint32_t index);

// --- of ForStubs
// The head of the stub that begins in the unit, or null.
const StubHead* HeadBeginningAt(uint32_t area, uint32_t unit);
uint32_t UnitsOf(uint32_t area);

template <typename Visit>
void ForStubs(Visit visit) {
  for (uint32_t area = 0; area < kStubAreas; ++area) {
    const uint32_t units = UnitsOf(area);
    for (uint32_t unit = 0; unit < units; ++unit) {
      if (const StubHead* const head = HeadBeginningAt(area, unit)) visit(head);
    }
  }
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_AREAS_H_
