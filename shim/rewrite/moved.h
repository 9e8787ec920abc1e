// Which instruction can be moved: the one behind a call site, whose place a jump takes.
#ifndef GUISE_SHIM_REWRITE_MOVED_H_
#define GUISE_SHIM_REWRITE_MOVED_H_

#include <stddef.h>
#include <stdint.h>

namespace guise::shim {

// The size of the instruction at `code`, if it does the same at another address: it is no branch, does not name its own
// address, and does not end before `least` bytes. 0: not known to be so, or longer than `size`. Knows what compilers
// and people write behind a syscall instruction, not all of x86-64; moved_test holds every answer against a full
// decoder's.
size_t MovableSize(const uint8_t* code, size_t size, size_t least);

// Whether all of `code` is instructions that can be moved, the first of which takes a jump of five bytes, and does not
// fault.
bool AllMove(const uint8_t* code, size_t size);

// Where a jump of five bytes fits that nobody meets: in the operand of a long nop behind a return, which `code` begins
// with. The nop stays one, whatever its operand. The offset from `code`; 0: there is none.
size_t JumpInNop(const uint8_t* code, size_t size);

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_MOVED_H_
