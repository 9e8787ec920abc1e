// Which stub belongs to which site.
#ifndef GUISE_SHIM_THREAD_STUB_TABLE_H_
#define GUISE_SHIM_THREAD_STUB_TABLE_H_

#include <stdint.h>

namespace guise::shim {

// The address of a stub that does the native call and goes on at `after`, the address behind the site; takes a new stub
// at the first call. 0 when none is left for it. Lock-free; stubs are never given back: a site whose text went away
// leaves a stub that is right again for whatever instruction of two bytes comes to lie there.
uint64_t StubFor(uint64_t after);

// Where the stub at `rip` goes on; 0 when rip is not in a stub. *called: whether the native call is done.
uint64_t StubReturn(uint64_t rip, bool* called);

}  // namespace guise::shim

#endif  // GUISE_SHIM_THREAD_STUB_TABLE_H_
