#include "shim/thread/stub_table.h"

namespace guise::shim {
namespace {

constexpr uint64_t kWays = 8;
struct Level {
  uint64_t first;  // entry
  uint64_t lines;
};
constexpr Level kLevels[] = {{0, 32}, {256, 224}, {2048, 768}};
static_assert(kLevels[2].first + kLevels[2].lines * kWays == GUISE_STUBS);

// The entry of the site, made if `makes` and there is room; or null.
StubEntry* Find(uint64_t after, bool makes) {
  const uint64_t hash = (after * 0x9e3779b97f4a7c15u) >> 32;
  for (const Level& level : kLevels) {
    const uint64_t line = level.first + (hash * level.lines >> 32) * kWays;
    for (uint64_t i = line; i < line + kWays; ++i) {
      StubEntry& entry = StubEntryAt(i);
      uint64_t key = entry.key.Acquire();
      if (key == 0 && !makes) return nullptr;
      // Another thread may just have set it, for this site or another.
      if (key == 0) key = entry.key.CompareSwap(0, after) ? after : entry.key.Acquire();
      if (key != after) continue;
      if (entry.target.Acquire() == 0) entry.target.CompareSwap(0, after);
      return &entry;
    }
  }
  return nullptr;
}

}  // namespace

uint64_t StubFor(uint64_t after) {
  const StubEntry* const entry = Find(after, true);
  return entry == nullptr ? 0 : StubOfIndex(static_cast<uint32_t>(entry - &StubEntryAt(0)));
}

uint64_t StubReturn(uint64_t rip, bool* called) {
  if (rip < Label(guise_stubs) || rip >= Label(guise_stubs_end)) return 0;
  const uint64_t offset = rip - Label(guise_stubs);
  *called = offset % GUISE_STUB_SIZE != 0;
  return StubEntryAt(offset / GUISE_STUB_SIZE).key.Acquire();
}

uint32_t StubIndex(uint64_t stub) { return static_cast<uint32_t>((stub - Label(guise_stubs)) / GUISE_STUB_SIZE); }

uint64_t TargetOf(uint64_t after) {
  const StubEntry* const entry = Find(after, false);
  return entry == nullptr ? 0 : entry->target.Acquire();
}

void SetTarget(uint64_t after, uint64_t target) {
  if (StubEntry* const entry = Find(after, false)) entry->target.Release(target);
}

void SwapTarget(uint64_t after, uint64_t expected, uint64_t target) {
  if (StubEntry* const entry = Find(after, false)) entry->target.CompareSwap(expected, target);
}

}  // namespace guise::shim
