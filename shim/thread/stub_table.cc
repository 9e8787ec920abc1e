#include "shim/thread/stub_table.h"

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/offsets.h"

namespace guise::shim {
namespace {

using wire::Cell;

// A hash of growing levels, so that a small program touches one page and a large one still finds its way in a few
// probes. A key is an address behind a site, stored last; keys are never removed, so an empty place ends a probe.
struct Place {
  Cell<uint64_t> after;
  Cell<uint64_t> stub;
};

constexpr uint32_t kProbes = 8;
constexpr uint32_t kLevels = 3;
constexpr uint32_t kSpins = 1 << 14;
constexpr uint32_t kLevelBits[kLevels] = {8, 11, 14};

Place g_small[1 << kLevelBits[0]];
Place g_middle[1 << kLevelBits[1]];
Place g_large[1 << kLevelBits[2]];
Cell<uint32_t> g_stubs_used;

Place* Level(uint32_t level) { return level == 0 ? g_small : level == 1 ? g_middle : g_large; }

uint64_t Hash(uint64_t after) { return (after * 0x9e3779b97f4a7c15u) >> 40; }

// One is being written by another thread: its key is the address with the top bit set.
constexpr uint64_t kWriting = uint64_t{1} << 63;

uint64_t NewStub(uint64_t after) {
  const uint32_t i = g_stubs_used.Relaxed() < GUISE_STUBS ? g_stubs_used.Add(1) : GUISE_STUBS;
  if (i >= GUISE_STUBS) return 0;
  guise_stub_returns[i] = after;
  return Label(guise_stubs) + uint64_t{i} * GUISE_STUB_SIZE;
}

}  // namespace

uint64_t StubFor(uint64_t after) {
  const uint64_t hash = Hash(after);
  for (uint32_t level = 0; level < kLevels; ++level) {
    const uint64_t mask = (uint64_t{1} << kLevelBits[level]) - 1;
    for (uint32_t probe = 0; probe < kProbes; ++probe) {
      Place& place = Level(level)[(hash + probe) & mask];
      uint64_t key = place.after.Acquire();
      if (key == 0) {
        if (!place.after.CompareSwap(0, after | kWriting)) {
          key = place.after.Acquire();
        } else {
          const uint64_t stub = NewStub(after);
          place.stub.StoreRelaxed(stub);
          place.after.Release(after);
          return stub;
        }
      }
      if (key == after) return place.stub.Relaxed();
      if (key != (after | kWriting)) continue;
      // The other thread's store is a few instructions away, unless this is a fork child that has no such thread.
      for (uint32_t spin = 0; spin < kSpins; ++spin) {
        if (place.after.Acquire() == after) return place.stub.Relaxed();
        __builtin_ia32_pause();
      }
      const uint64_t stub = NewStub(after);
      place.stub.StoreRelaxed(stub);
      place.after.Release(after);
      return stub;
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
