// Rewriting of call sites: a syscall instruction that is executed often becomes a jump to a stub.
//
// The jump is five bytes, the syscall two: it displaces the instruction behind. That instruction moves to the stub;
// what is left of its bytes begins with one that faults in user mode, so that whoever comes to the place behind the
// call by another way than through the stub (a branch, a thread that was there while the site was rewritten, a return
// of a signal) is sent to the instruction's new place.
//
//   before   0f 05  48 3d 00 f0 ff ff     syscall; cmp $-4096,%rax
//   after    e9 05  f4 xx xx f0 ff ff     jmp stub
//
// The second byte stays as it is, and the first is written last: at each moment the site is the one or the other.
#ifndef GUISE_SHIM_REWRITE_REWRITE_H_
#define GUISE_SHIM_REWRITE_REWRITE_H_

#include <stdint.h>

#include "shim/gate/call.h"
#include "shim/rewrite/stub_code.h"
#include "shim/thread/block.h"

namespace guise::shim {

// Whether sites are rewritten in this session, and by this thread.
bool MayRewrite(const ThreadBlock* block);

// The thread has made `call` at the site in front of `after`, and was caught: rewrites the site, perhaps.
void ConsiderSite(ThreadBlock* block, const GuestCall& call, uint64_t after);

// The thread was caught at the site in front of `after`. Other text than that which the site was rewritten in has come
// to lie there, perhaps.
void ForgetStale(uint64_t after);

// Where a thread that is to go on at `rip` goes on.
uint64_t Landing(uint64_t rip);
// Where one goes on whose instruction at `rip` has ended in a general protection fault, because another thread was
// taking a jump away there; 0: not because of that.
uint64_t LandingAhead(uint64_t rip);
// The same for one that comes from the call in front of `rip` and whose rcx may be anything.
uint64_t AfterCall(uint64_t rip);

// The site whose jump to the stub is at `rip`, apart from it; 0: none's.
uint64_t SiteOfJumpApart(uint64_t rip);

// A range is about to change: what was known of its text is forgotten. `restore`: the program's own bytes are put back,
// because it may write over a part of them, or move them.
void TextChanges(ThreadBlock* block, uint64_t start, uint64_t size, bool restore);

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_REWRITE_H_
