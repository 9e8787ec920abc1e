// The jump that stands in the place of a call site: looking for it, putting it there, taking it away. What it looks
// like, and why: rewrite.h.
#ifndef GUISE_SHIM_REWRITE_JUMP_H_
#define GUISE_SHIM_REWRITE_JUMP_H_

#include <stddef.h>
#include <stdint.h>

#include "shim/rewrite/patcher.h"
#include "shim/rewrite/stub_code.h"
#include "shim/rewrite/text_writer.h"

namespace guise::shim {

inline constexpr size_t kSiteSize = 2;
inline constexpr uint8_t kSyscall[kSiteSize] = {0x0f, 0x05};
inline constexpr uint8_t kJump = 0xe9;
inline constexpr size_t kJumpSize = 5;
// What a jump takes of the instruction behind the site.
inline constexpr size_t kDisplaced = kJumpSize - kSiteSize;

inline uint64_t SiteOf(const StubHead* head) { return head->after - kSiteSize; }
inline uint64_t JumpOf(const StubHead* head) { return SiteOf(head) + head->jump_at - head->ahead; }
// Of what the jump takes of the text, and of the instructions that move: the first byte, and behind the last.
inline uint64_t StartOf(const StubHead* head) { return SiteOf(head) - head->ahead; }
inline uint64_t EndOf(const StubHead* head) {
  const uint64_t body_end = head->after + head->body_size;
  const uint64_t jump_end = JumpOf(head) + kJumpSize;
  return body_end > jump_end ? body_end : jump_end;
}

// Whether a site's jump, with what it displaces, takes some of these bytes of the text; and whether those of two sites
// take the same.
bool TakesOf(const StubHead* head, uint64_t start, uint64_t end);
bool TakeTheSame(const StubHead* one, const StubHead* other);

// Every thread of the process executes a serializing instruction before it goes on in its text. ABI: membarrier(2).
bool Synchronize(Others others);
// Makes ready for it: soon done while the process has one thread; else it may take milliseconds.
bool CanSynchronize(Others others);

// Whether the text holds the stub's jump, from the given byte of the site on: the first is written last.
bool HoldsJump(const StubHead* head, size_t from);

// Whether the place behind the call holds the jump's bytes, also while they are being put there or taken away. The
// first of them is none that an instruction which moves begins with.
bool IsDisplaced(const StubHead* head);

// Where a thread goes on that has faulted where the jump in front of a call stands, or stood: it was being taken away,
// and may be gone by now. What stood there does not fault. 0: it was not that.
uint64_t FaultedAhead(const StubHead* head);

// Puts the jump there. False: the text is as before, or works as before.
bool WriteJump(TextWriter& writer, const StubHead* head, Others others);
// The same in text that is writable, and executed by nobody.
void PutJump(const StubHead* head);
// And takes it away. False: it may still be there. REQUIRES: no other thread blocks SIGSEGV, if it is in front of a
// call.
bool RestoreText(TextWriter& writer, const StubHead* head, Others others);

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_JUMP_H_
