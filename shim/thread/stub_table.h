// Which stub belongs to which site.
#ifndef GUISE_SHIM_THREAD_STUB_TABLE_H_
#define GUISE_SHIM_THREAD_STUB_TABLE_H_

#include <stdint.h>

namespace guise::shim {

// The address of a stub that does the native call and goes on at `after`, the address behind the site; takes a new stub
// at the first call. 0 when none is left for it. Lock-free; stubs are never given back: a site whose text went away
// leaves a stub that is right again for whatever instruction of two bytes comes to lie there.
uint64_t StubFor(uint64_t after);

// Behind which site the stub at `rip` makes its call; 0 when rip is not in a stub. *called: whether the native call is
// done.
uint64_t StubReturn(uint64_t rip, bool* called);

// The number of a stub that StubFor has given, and the address behind its site.
uint32_t StubIndex(uint64_t stub);
uint64_t SiteEnd(uint32_t index);
uint64_t StubOfIndex(uint32_t index);

// Where the stub of a site goes on: behind the site, or, when that has been rewritten, elsewhere. 0: the site has none.
uint64_t TargetOf(uint64_t after);
void SetTarget(uint64_t after, uint64_t target);
// Unless it is not `expected` any more.
void SwapTarget(uint64_t after, uint64_t expected, uint64_t target);

}  // namespace guise::shim

#endif  // GUISE_SHIM_THREAD_STUB_TABLE_H_
