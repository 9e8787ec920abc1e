#include "shim/thread/stub_table.h"

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/offsets.h"

namespace guise::shim {
namespace {

using wire::Cell;

// The way back of stub i is also the key under which it is found: a hash of lines of eight, in growing levels, so that
// a small program touches one page (and its fork children copy one), and a large one still finds its way in three
// lines. An entry is set once, from 0.
constexpr uint64_t kWays = 8;
struct Level {
  uint64_t first;  // entry
  uint64_t lines;
};
constexpr Level kLevels[] = {{0, 64}, {512, 192}, {2048, 768}};
static_assert(kLevels[2].first + kLevels[2].lines * kWays == GUISE_STUBS);
static_assert(sizeof(Cell<uint64_t>) == sizeof(guise_stub_returns[0]));

Cell<uint64_t>& Entry(uint64_t i) { return reinterpret_cast<Cell<uint64_t>*>(guise_stub_returns)[i]; }

uint64_t StubAt(uint64_t i) { return Label(guise_stubs) + i * GUISE_STUB_SIZE; }

}  // namespace

uint64_t StubFor(uint64_t after) {
  const uint64_t hash = (after * 0x9e3779b97f4a7c15u) >> 32;
  for (const Level& level : kLevels) {
    const uint64_t line = level.first + (hash * level.lines >> 32) * kWays;
    for (uint64_t i = line; i < line + kWays; ++i) {
      uint64_t key = Entry(i).Acquire();
      if (key == 0 && Entry(i).CompareSwap(0, after)) return StubAt(i);
      // Another thread may just have set it, for this site or another.
      if (key == 0) key = Entry(i).Acquire();
      if (key == after) return StubAt(i);
    }
  }
  return 0;
}

uint64_t StubReturn(uint64_t rip, bool* called) {
  if (rip < Label(guise_stubs) || rip >= Label(guise_stubs_end)) return 0;
  const uint64_t offset = rip - Label(guise_stubs);
  *called = offset % GUISE_STUB_SIZE != 0;
  return guise_stub_returns[offset / GUISE_STUB_SIZE];
}

}  // namespace guise::shim
