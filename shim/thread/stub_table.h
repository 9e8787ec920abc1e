// Which stub belongs to which site.
#ifndef GUISE_SHIM_THREAD_STUB_TABLE_H_
#define GUISE_SHIM_THREAD_STUB_TABLE_H_

#include <stddef.h>
#include <stdint.h>

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/offsets.h"

namespace guise::shim {

// The address of a stub that does the native call and goes on at `after`, the address behind the site; takes a new stub
// at the first call. 0 when none is left for it. Lock-free; stubs are never given back: a site whose text went away
// leaves a stub that is right again for whatever instruction of two bytes comes to lie there.
uint64_t StubFor(uint64_t after);

// Behind which site the stub at `rip` makes its call; 0 when rip is not in a stub. *called: whether the native call is
// done.
uint64_t StubReturn(uint64_t rip, bool* called);

// An entry is found by a hash of lines of eight, in growing levels, so that a small program touches one page (and its
// fork children copy one), and a large one still finds its way in three lines. A key is set once, from 0.
struct StubEntry {
  wire::Cell<uint64_t> target;  // where stub i goes on
  wire::Cell<uint64_t> key;     // behind its site
};
static_assert(sizeof(StubEntry) == GUISE_STUB_ENTRY_SIZE && offsetof(StubEntry, target) == 0);

inline StubEntry& StubEntryAt(uint64_t index) { return reinterpret_cast<StubEntry*>(guise_stub_entries)[index]; }

// Spares a program's first call a fault: what is read first and written then costs two.
inline void TouchStubTable() { StubEntryAt(0).target.StoreRelaxed(0); }

// The number of a stub that StubFor has given, and the address behind its site.
uint32_t StubIndex(uint64_t stub);
inline uint64_t SiteEnd(uint32_t index) { return index < GUISE_STUBS ? StubEntryAt(index).key.Acquire() : 0; }
inline uint64_t StubOfIndex(uint32_t index) { return Label(guise_stubs) + uint64_t{index} * GUISE_STUB_SIZE; }
// Where the stub goes on. REQUIRES: it is some site's.
inline uint64_t TargetOfIndex(uint32_t index) { return StubEntryAt(index).target.Acquire(); }

// Where the stub of a site goes on: behind the site, or, when that has been rewritten, elsewhere. 0: the site has none.
uint64_t TargetOf(uint64_t after);
void SetTarget(uint64_t after, uint64_t target);
// Unless it is not `expected` any more.
void SwapTarget(uint64_t after, uint64_t expected, uint64_t target);

}  // namespace guise::shim

#endif  // GUISE_SHIM_THREAD_STUB_TABLE_H_
