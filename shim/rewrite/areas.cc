#include "shim/rewrite/areas.h"

#include <linux/errno.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#include <initializer_list>

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/offsets.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/memory.h"
#include "shim/panic.h"
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

// What an area has given out, by units. A stub begins anywhere in its first; kGoesOn says how many units before.
constexpr uint8_t kBegins = 0x40;
constexpr uint8_t kOffset = 0x3f;  // in the unit, of a head that begins there
constexpr uint8_t kGoesOn = 0x80;
struct Area {
  Cell<uint8_t>* units;
  uint32_t count;
  Cell<uint8_t>* pages_used;  // 1: the page holds a stub
};

constexpr uint32_t kUnitsInPage = kPage / kUnit;
constexpr uint32_t kNearUnits = GUISE_NEAR_AREA / kUnit;
constexpr uint32_t kFarUnits = kFarSize / kUnit;
// A page, and not parts of two.
alignas(kPage) GUISE_TABLE Cell<uint8_t> g_near_units[kNearUnits];
GUISE_TABLE Cell<uint8_t> g_far_units[kFarAreas][kFarUnits];
Cell<uint8_t> g_near_pages[kNearUnits / kUnitsInPage];
Cell<uint8_t> g_far_pages[kFarAreas][kFarUnits / kUnitsInPage];
Cell<uint64_t> g_starts[kStubAreas];
enum : uint32_t { kOpen, kSealed, kReopened };
Cell<uint32_t> g_states[kStubAreas];

Area AreaAt(uint32_t index) {
  if (index == 0) return {g_near_units, kNearUnits, g_near_pages};
  return {g_far_units[index - 1], kFarUnits, g_far_pages[index - 1]};
}

// The area that the address lies in, or kStubAreas.
uint32_t IndexAt(uint64_t address) {
  for (uint32_t index = 0; index < kStubAreas; ++index) {
    const uint64_t start = g_starts[index].Acquire();
    if (start != 0 && address - start < AreaAt(index).count * kUnit) return index;
  }
  return kStubAreas;
}

int64_t Protect(uint32_t index, int protection) {
  return Native(Nr::mprotect, g_starts[index].Relaxed(), AreaAt(index).count * kUnit, protection);
}

bool IsFree(const Area& area, uint64_t first, uint64_t last) {
  for (uint64_t unit = first; unit <= last; ++unit) {
    if (area.units[unit].Relaxed() != 0) return false;
  }
  return true;
}

constexpr uint64_t kJumpSize = 5;

// Bytes that end a stretch of code in user mode with SIGSEGV, whatever stands behind them. ABI: Intel SDM: hlt; cli and
// sti without IOPL; in, out, ins, outs without an I/O permission: #GP.
constexpr uint8_t kTrapBytes[] = {0x6c, 0x6d, 0x6e, 0x6f, 0xe4, 0xe5, 0xe6, 0xe7,
                                  0xec, 0xed, 0xee, 0xef, 0xf4, 0xfa, 0xfb};

struct Wanted {
  uint64_t jump;
  JumpPlace where;
  size_t size;
};

// Takes the place with the given head if it is free.
bool Take(const Area& area, uint64_t start, const Wanted& wanted, uint64_t head, bool only_in_use) {
  const uint64_t code = head + sizeof(StubHead);
  const uint64_t distance = code - (wanted.jump + kJumpSize);
  if (head < start || head + wanted.size > start + area.count * kUnit || distance + kReach >= 2 * kReach) return false;
  const uint64_t first = (head - start) / kUnit;
  const uint64_t last = (head - start + wanted.size - 1) / kUnit;
  // A page that holds a stub already spares memory, and a child of fork, another.
  if (only_in_use && area.pages_used[first / kUnitsInPage].Relaxed() == 0) return false;
  if (!IsFree(area, first, last)) return false;
  area.units[first].Release(static_cast<uint8_t>(kBegins | ((head - start) & kOffset)));
  for (uint64_t unit = first + 1; unit <= last; ++unit) {
    area.units[unit].Release(static_cast<uint8_t>(kGoesOn | (unit - first)));
  }
  area.pages_used[first / kUnitsInPage].StoreRelaxed(1);
  area.pages_used[last / kUnitsInPage].StoreRelaxed(1);
  return true;
}

uint64_t TakeIn(const Area& area, uint64_t start, const Wanted& wanted, bool only_in_use) {
  const uint64_t end = start + area.count * kUnit;
  if (wanted.where == JumpPlace::kApart) {
    for (uint64_t head = start; head < end; head += kUnit) {
      if (Take(area, start, wanted, head, only_in_use)) return head;
    }
    return 0;
  }
  constexpr uint64_t kSecondByte = 0x05;  // of a syscall instruction
  for (const uint8_t byte : kTrapBytes) {
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
  constexpr uint64_t kSteps = 1536;
  // Above a program at a fixed address is its heap (StartOfBreak). ABI: arch_randomize_brk(): as far as 1 GiB.
  constexpr uint64_t kFixedPrograms = uint64_t{1} << 32;
  constexpr uint64_t kHeapSteps = 1024 + 64;
  constexpr uint64_t kFixed = 0x100000;  // MAP_FIXED_NOREPLACE
  const uint64_t base = site & ~(kStep - 1);
  for (uint64_t i = 1; i < kSteps; ++i) {
    for (const bool above : {false, true}) {
      if (!above && base <= i * kStep) continue;
      if (above && site < kFixedPrograms && i < kHeapSteps) continue;
      const uint64_t at = above ? base + i * kStep : base - i * kStep;
      const int64_t mapped =
          Native(Nr::mmap, at, kFarSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | kFixed, -1, 0);
      if (mapped == static_cast<int64_t>(at)) {
        // Readers of /proc/PID/maps take the first text without a name for the program's.
        Native(Nr::prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, kFarSize, "guise");
        return at;
      }
      // A kernel before 4.17 takes the address for a hint.
      if (!IsError(mapped)) Native(Nr::munmap, mapped, kFarSize);
      if (mapped == -ENOMEM || mapped == -EPERM) return 0;
    }
  }
  return 0;
}

bool Reaches(uint64_t site, uint64_t start, uint64_t size) {
  const uint64_t low = site < start ? site : start;
  const uint64_t high = site < start ? start + size : site + kPage;
  return high - low < kReach;
}

}  // namespace

bool ReachesImage(uint64_t jump) { return Reaches(jump, Label(guise_near_area), GUISE_NEAR_AREA); }

uint64_t TakePlace(uint64_t jump, JumpPlace where, size_t size) {
  const Wanted wanted = {jump, where, size};
  if (ReachesImage(jump)) {
    // To read a page first that is written then would cost two faults.
    if (g_starts[0].Relaxed() == 0) g_near_units[0].StoreRelaxed(0);
    g_starts[0].Release(Label(guise_near_area));
    return TakeIn(0, wanted);
  }
  for (uint32_t index = 1; index < kStubAreas; ++index) {
    uint64_t start = g_starts[index].Acquire();
    if (start == 0) {
      start = MapFar(jump);
      if (start == 0) break;
      g_starts[index].Release(start);
    }
    if (!Reaches(jump, start, kFarSize)) continue;
    if (const uint64_t head = TakeIn(index, wanted)) return head;
  }
  return 0;
}

bool WriteToArea(TextWriter& writer, uint64_t head, const uint8_t* stub, size_t size) {
  const uint32_t index = IndexAt(head);
  if (index == kStubAreas) return false;
  if (g_states[index].Relaxed() == kSealed) return writer.Write(head, stub, size);
  // SAFETY: a place that was taken in the area, and the area is open.
  memcpy(reinterpret_cast<void*>(head), stub, size);
  return true;
}

void OpenAreas() {
  if (!MayBecomeText()) return;
  for (uint32_t index = 0; index < kStubAreas; ++index) {
    if (g_states[index].Relaxed() == kSealed && !IsError(Protect(index, PROT_READ | PROT_WRITE))) {
      g_states[index].Release(kReopened);
    }
  }
}

bool SealAreas() {
  bool sealed = true;
  for (uint32_t index = 0; index < kStubAreas; ++index) {
    const uint32_t state = g_states[index].Relaxed();
    if (g_starts[index].Relaxed() == 0 || state == kSealed) continue;
    const int64_t error = Protect(index, PROT_READ | PROT_EXEC);
    // Jumps lead there already.
    if (IsError(error) && state == kReopened) {
      Panic(wire::PanicKind::kLoader, "the stubs of rewritten sites cannot be executed any more", {.error = error});
    }
    if (IsError(error)) {
      sealed = false;
    } else {
      g_states[index].Release(kSealed);
    }
  }
  return sealed;
}

bool IsFar(const StubHead* head) { return Word(head) - Label(guise_near_area) >= GUISE_NEAR_AREA; }

const StubHead* HeadAt(uint64_t rip) {
  const uint32_t index = IndexAt(rip);
  if (index == kStubAreas) return nullptr;
  const uint64_t start = g_starts[index].Acquire();
  const Area area = AreaAt(index);
  uint64_t unit = (rip - start) / kUnit;
  const uint8_t there = area.units[unit].Acquire();
  if (there == 0) return nullptr;
  if ((there & kGoesOn) != 0) unit -= there & ~kGoesOn;
  return HeadBeginningAt(index, static_cast<uint32_t>(unit));
}

StubArea StubAreaAt(uint32_t index) {
  const uint64_t start = g_starts[index].Acquire();
  return {start, start == 0 ? 0 : AreaAt(index).count * kUnit};
}

uint32_t UnitsOf(uint32_t area) { return g_starts[area].Acquire() == 0 ? 0 : AreaAt(area).count; }

const StubHead* HeadBeginningAt(uint32_t area, uint32_t unit) {
  const uint8_t there = AreaAt(area).units[unit].Acquire();
  if ((there & kBegins) == 0) return nullptr;
  return reinterpret_cast<const StubHead*>(g_starts[area].Acquire() + unit * kUnit + (there & kOffset));
}

}  // namespace guise::shim
