#include "shim/rewrite/areas.h"

#include <linux/errno.h>
#include <linux/mman.h>

#include <initializer_list>

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/offsets.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/placement.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::Cell;

constexpr uint64_t kPage = 4096;
// What is given out is counted in units; a stub begins anywhere in its first.
constexpr uint64_t kUnit = 64;
constexpr uint64_t kFarSize = 64 << 10;
constexpr uint32_t kFarAreas = kStubAreas - 1;
constexpr uint64_t kReach = uint64_t{1} << 31;

struct Area {
  // Of each unit: where the head of the stub that takes it lies, from the area's start, + 1; 0: free.
  Cell<uint32_t>* heads;
  uint32_t units;
};

constexpr uint32_t kNearUnits = GUISE_NEAR_AREA / kUnit;
constexpr uint32_t kFarUnits = kFarSize / kUnit;
GUISE_TABLE Cell<uint32_t> g_near_heads[kNearUnits];
GUISE_TABLE Cell<uint32_t> g_far_heads[kFarAreas][kFarUnits];
Cell<uint64_t> g_starts[kStubAreas];

Area AreaAt(uint32_t index) {
  if (index == 0) return {g_near_heads, kNearUnits};
  return {g_far_heads[index - 1], kFarUnits};
}

bool IsFree(const Area& area, uint64_t first, uint64_t last) {
  for (uint64_t unit = first; unit <= last; ++unit) {
    if (area.heads[unit].Relaxed() != 0) return false;
  }
  return true;
}

// Whether a page of the area holds a stub already: a child of fork, and memory, are spared another.
bool InUse(const Area& area, uint64_t unit) {
  constexpr uint64_t kPerPage = kPage / kUnit;
  const uint64_t first = unit / kPerPage * kPerPage;
  return !IsFree(area, first, first + kPerPage - 1);
}

constexpr uint64_t kJumpSize = 5;

struct Wanted {
  uint64_t jump;
  JumpPlace where;
  size_t size;
};

// Takes the place with the given head if it is free.
bool Take(const Area& area, uint64_t start, const Wanted& wanted, uint64_t head, bool only_in_use) {
  const uint64_t code = head + sizeof(StubHead);
  const uint64_t distance = code - (wanted.jump + kJumpSize);
  if (head < start || head + wanted.size > start + area.units * kUnit || distance + kReach >= 2 * kReach) return false;
  const uint64_t first = (head - start) / kUnit;
  const uint64_t last = (head - start + wanted.size - 1) / kUnit;
  if (!IsFree(area, first, last) || (only_in_use && !InUse(area, first))) return false;
  for (uint64_t unit = first; unit <= last; ++unit) {
    area.heads[unit].Release(static_cast<uint32_t>(head - start + 1));
  }
  return true;
}

uint64_t TakeIn(const Area& area, uint64_t start, const Wanted& wanted, bool only_in_use) {
  const uint64_t end = start + area.units * kUnit;
  if (wanted.where == JumpPlace::kApart) {
    for (uint64_t head = start; head < end; head += kUnit) {
      if (Take(area, start, wanted, head, only_in_use)) return head;
    }
    return 0;
  }
  constexpr uint64_t kSecondByte = 0x05;  // of a syscall instruction
  for (uint32_t byte = 0; byte < 256; ++byte) {
    if (!IsTrapByte(static_cast<uint8_t>(byte))) continue;
    // The code's address modulo 64 KiB is given.
    const uint64_t low = (wanted.jump + kJumpSize + kSecondByte + (uint64_t{byte} << 8)) & 0xffff;
    for (uint64_t code = (start & ~uint64_t{0xffff}) | low; code < end; code += 0x10000) {
      if (Take(area, start, wanted, code - sizeof(StubHead), only_in_use)) return code - sizeof(StubHead);
    }
  }
  return 0;
}

uint64_t TakeIn(uint32_t index, const Wanted& wanted) {
  const uint64_t start = g_starts[index].Acquire();
  if (start == 0 || wanted.size == 0) return 0;
  const Area area = AreaAt(index);
  const uint64_t head = TakeIn(area, start, wanted, true);
  return head != 0 ? head : TakeIn(area, start, wanted, false);
}

// In front of the text, away from it so that a heap or a neighbour can grow a little.
uint64_t MapFar(uint64_t site) {
  constexpr uint64_t kStep = uint64_t{1} << 20;
  constexpr uint64_t kSteps = 1024;
  constexpr uint64_t kFixed = 0x100000;  // MAP_FIXED_NOREPLACE
  const uint64_t base = site & ~(kStep - 1);
  for (uint64_t i = 1; i < kSteps; ++i) {
    for (const bool above : {false, true}) {
      if (!above && base <= i * kStep) continue;
      const uint64_t at = above ? base + i * kStep : base - i * kStep;
      const int64_t mapped =
          Native(Nr::mmap, at, kFarSize, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | kFixed, -1, 0);
      if (mapped == static_cast<int64_t>(at)) return at;
      // A kernel before 4.17 takes the address for a hint.
      if (!IsError(mapped)) Native(Nr::munmap, mapped, kFarSize);
      if (mapped == -ENOMEM || mapped == -EPERM) return 0;
    }
  }
  return 0;
}

bool OpenNear() {
  if (g_starts[0].Acquire() != 0) return true;
  const uint64_t start = Label(guise_near_area);
  if (IsError(Native(Nr::mprotect, start, GUISE_NEAR_AREA, PROT_READ | PROT_EXEC))) return false;
  g_starts[0].Release(start);
  return true;
}

bool Reaches(uint64_t site, uint64_t start, uint64_t size) {
  const uint64_t low = site < start ? site : start;
  const uint64_t high = site < start ? start + size : site + kPage;
  return high - low < kReach;
}

}  // namespace

bool IsTrapByte(uint8_t byte) {
  // ABI: Intel SDM: hlt; cli and sti without IOPL; in, out, ins, outs without an I/O permission: #GP.
  switch (byte) {
    case 0x6c:
    case 0x6d:
    case 0x6e:
    case 0x6f:
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7:
    case 0xec:
    case 0xed:
    case 0xee:
    case 0xef:
    case 0xf4:
    case 0xfa:
    case 0xfb:
      return true;
    default:
      return false;
  }
}

Place TakePlace(uint64_t jump, JumpPlace where, size_t near_size, size_t far_size) {
  if (Reaches(jump, Label(guise_near_area), GUISE_NEAR_AREA)) {
    return {OpenNear() ? TakeIn(0, {jump, where, near_size}) : 0, false};
  }
  for (uint32_t index = 1; index < kStubAreas; ++index) {
    uint64_t start = g_starts[index].Acquire();
    if (start == 0) {
      start = MapFar(jump);
      if (start == 0) break;
      g_starts[index].Release(start);
    }
    if (!Reaches(jump, start, kFarSize)) continue;
    if (const uint64_t head = TakeIn(index, {jump, where, far_size})) return {head, true};
  }
  return {0, true};
}

const StubHead* HeadAt(uint64_t rip) {
  for (uint32_t index = 0; index < kStubAreas; ++index) {
    const uint64_t start = g_starts[index].Acquire();
    const Area area = AreaAt(index);
    if (start == 0 || rip - start >= area.units * kUnit) continue;
    const uint32_t head = area.heads[(rip - start) / kUnit].Acquire();
    return head == 0 ? nullptr : reinterpret_cast<const StubHead*>(start + head - 1);
  }
  return nullptr;
}

StubArea StubAreaAt(uint32_t index) {
  const uint64_t start = g_starts[index].Acquire();
  return {start, start == 0 ? 0 : AreaAt(index).units * kUnit};
}

uint32_t UnitsOf(uint32_t area) { return g_starts[area].Acquire() == 0 ? 0 : AreaAt(area).units; }

const StubHead* HeadBeginningAt(uint32_t area, uint32_t unit) {
  const uint32_t head = AreaAt(area).heads[unit].Acquire();
  if (head == 0 || (head - 1) / kUnit != unit) return nullptr;
  return reinterpret_cast<const StubHead*>(g_starts[area].Acquire() + head - 1);
}

}  // namespace guise::shim
