// Where stubs of rewritten sites lie: one area in the image, which dispatch lets through, and far ones next to text
// that the image's cannot be reached from. A stub is never given back; a process that has no room left has its calls
// caught as before.
#ifndef GUISE_SHIM_REWRITE_AREAS_H_
#define GUISE_SHIM_REWRITE_AREAS_H_

#include <stddef.h>
#include <stdint.h>

#include "shim/rewrite/stub_code.h"
#include "shim/rewrite/text_writer.h"

namespace guise::shim {

// Where the jump's displacement has to be of a certain kind, and where not.
enum class JumpPlace { kSite, kApart };

// Whether the stub of a site with its jump there lies in the image, or is a far one.
bool ReachesImage(uint64_t jump);

// Takes a place for a stub, head and code of `size` bytes, whose code a jmp rel32 at `jump` reaches, with a
// displacement of which the lowest byte is that of a syscall instruction, so that jump and syscall differ in their
// first byte alone, and the next a trap byte, because it comes to lie where the syscall returns to; kApart: with any
// displacement. Returns its address, or 0: there is no room. REQUIRES: the caller is the process's one patcher.
uint64_t TakePlace(uint64_t jump, JumpPlace where, size_t size);

// Areas are sealed, which is executable and not writable, or open, the other way round. An area is open when it is new.
//
// Puts a stub there, by the writer if the area is sealed. False: nothing was written.
bool WriteToArea(TextWriter& writer, uint64_t head, const uint8_t* stub, size_t size);
// Opens those that are sealed, for cheaper writing. REQUIRES: no other thread runs. May do nothing.
void OpenAreas();
// What was written may be executed from here on. False: it may not; nothing may lead there.
bool SealAreas();
bool IsFar(const StubHead* head);

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
