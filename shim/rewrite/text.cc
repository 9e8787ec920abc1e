#include "shim/rewrite/text.h"

#include "proto/wire/cell.h"
#include "shim/placement.h"

namespace guise::shim {
namespace {

using wire::Cell;

struct Range {
  Cell<uint64_t> start;  // 0: free
  Cell<uint64_t> end;    // 0: being filled or emptied; stored last, cleared first
  Cell<uint64_t> offset;
  Cell<uint64_t> key;
  Cell<uint64_t> file;
  Cell<uint64_t> device;
  Cell<uint64_t> inode;
  Cell<uint64_t> learns;
};
// As many as a program has without its plugins; the others lie apart.
constexpr uint32_t kFirstRanges = 16;
constexpr uint32_t kRanges = 2048;
Range g_first[kFirstRanges];
GUISE_TABLE Range g_others[kRanges - kFirstRanges];
Cell<uint32_t> g_used;  // entries beyond were never filled

Range& RangeAt(uint32_t index) { return index < kFirstRanges ? g_first[index] : g_others[index - kFirstRanges]; }

bool Fill(Range& range, const TextRange& text) {
  if (range.start.Relaxed() != 0 || !range.start.CompareSwap(0, text.start)) return false;
  range.offset.StoreRelaxed(text.offset);
  range.key.StoreRelaxed(text.key);
  range.file.StoreRelaxed(text.file);
  range.device.StoreRelaxed(text.device);
  range.inode.StoreRelaxed(text.inode);
  range.learns.StoreRelaxed(text.learns ? 1 : 0);
  range.end.Release(text.end);
  return true;
}

uint32_t Used() {
  const uint32_t used = g_used.Acquire();
  return used < kRanges ? used : kRanges;
}

bool Read(const Range& range, TextRange* text) {
  const uint64_t end = range.end.Acquire();
  *text = {.start = range.start.Relaxed(),
           .end = end,
           .key = range.key.Relaxed(),
           .file = range.file.Relaxed(),
           .device = range.device.Relaxed(),
           .inode = range.inode.Relaxed(),
           .offset = range.offset.Relaxed(),
           .learns = range.learns.Relaxed() != 0};
  return end != 0;
}

}  // namespace

void NoteText(const TextRange& range) {
  if (range.start == 0 || range.end <= range.start) return;
  const uint32_t used = Used();
  for (uint32_t i = 0; i < used; ++i) {
    if (Fill(RangeAt(i), range)) return;
  }
  const uint32_t next = g_used.Add(1);
  if (next < kRanges) Fill(RangeAt(next), range);
}

void ForgetText(uint64_t start, uint64_t size) {
  const uint32_t used = Used();
  for (uint32_t i = 0; i < used; ++i) {
    Range& range = RangeAt(i);
    const uint64_t end = range.end.Acquire();
    if (end == 0 || range.start.Relaxed() >= start + size || start >= end) continue;
    // Of two who forget it, one frees the entry.
    if (range.end.CompareSwap(end, 0)) range.start.Release(0);
  }
}

bool FindText(uint64_t start, uint64_t size, TextRange* range) {
  const uint32_t used = Used();
  for (uint32_t i = 0; i < used; ++i) {
    if (Read(RangeAt(i), range) && start >= range->start && start + size <= range->end) return true;
  }
  return false;
}

}  // namespace guise::shim
