#include "server/store/inode_table.h"

#include "proto/wire/layout.h"

namespace guise::server {

namespace {

constexpr uint32_t kMigratedPerPut = 32;

constexpr uint64_t Capacity(uint32_t log2) { return log2 == 0 ? 0 : (uint64_t{1} << log2) / 4 * 3; }

constexpr uint64_t PageUp(uint64_t offset) { return (offset + wire::kPageSize - 1) & ~(wire::kPageSize - 1); }

bool HasBirth(const wire::InodeKey& key) { return key.birth_seconds != 0 || key.birth_nanoseconds != 0; }

// The same number, but the births tell that it is not the same file.
bool Succeeds(const wire::InodeKey& key, const wire::InodeKey& earlier) {
  return key.ino == earlier.ino && key.dev == earlier.dev && HasBirth(key) && HasBirth(earlier);
}

}  // namespace

InodeTable::InodeTable(absl::Span<char> memory, uint64_t begin, Journal& journal)
    : memory_(memory), journal_(journal), next_offset_(begin) {}

// SAFETY: Grow() keeps every Place inside `memory_`, page-aligned, and 2^log2 tags before the entries keep these at a
// multiple of 8.
wire::Cell<uint8_t>* InodeTable::Tags(const Place& table) const {
  return reinterpret_cast<wire::Cell<uint8_t>*>(memory_.data() + table.offset);
}

wire::OverlayEntry* InodeTable::Entries(const Place& table) const {
  return reinterpret_cast<wire::OverlayEntry*>(memory_.data() + table.offset + wire::OverlayEntriesOffset(table.log2));
}

InodeTable::Slot InodeTable::Probe(const Place& table, const wire::InodeKey& key) const {
  const uint64_t mask = (uint64_t{1} << table.log2) - 1;
  const wire::Cell<uint8_t>* tags = Tags(table);
  const wire::OverlayEntry* entries = Entries(table);
  // At most 3/4 full: the probe ends, unless the session's memory has been written to by others. Then it is the
  // session's owners that are lost.
  uint64_t i = wire::Bucket(key, table.log2);
  for (uint64_t steps = 0; steps < mask; ++steps, i = (i + 1) & mask) {
    if (tags[i].Relaxed() == 0) return {i, true, false};
    const wire::InodeKey found = KeyOf(entries[i]);
    if (found == key) return {i, false, true};
    if (Succeeds(key, found)) return {i, false, false};
  }
  return {i, false, false};
}

void InodeTable::Write(const Place& table, const Slot& slot, const wire::InodeKey& key,
                       const wire::OverlayValue& value) {
  wire::WriteOverlay(Tags(table), table.log2, slot.index, key, value);
}

bool InodeTable::Grow() {
  const Place next = {next_offset_, current_.log2 == 0 ? kFirstLog2 : current_.log2 + 1};
  const uint64_t end = next.offset + wire::OverlayTableBytes(next.log2);
  if (next.log2 >= 31 || end > memory_.size()) return false;
  next_offset_ = PageUp(end);
  old_ = current_;
  current_ = next;
  count_ = 0;
  migrated_ = 0;
  journal_.Migrated(0);
  journal_.Moved(current_, old_);
  return true;
}

bool InodeTable::Reserve(uint32_t entries) {
  if (old_.log2 != 0) {
    // What is still to come from the old table has its place: it is at most half of this one's capacity.
    if (count_ + entries <= Capacity(current_.log2)) return true;
    Migrate(uint32_t{1} << old_.log2);
  }
  if (count_ + entries <= Capacity(current_.log2)) return true;
  return Grow() && count_ + entries <= Capacity(current_.log2);
}

void InodeTable::Migrate(uint32_t slots) {
  if (old_.log2 == 0) return;
  const uint64_t size = uint64_t{1} << old_.log2;
  for (; slots > 0 && migrated_ < size; --slots, ++migrated_) {
    if (Tags(old_)[migrated_].Relaxed() == 0) continue;
    const wire::OverlayEntry& entry = Entries(old_)[migrated_];
    const wire::InodeKey key = KeyOf(entry);
    const wire::OverlayValue value = ValueOf(entry);
    if (value.fields == 0) continue;
    const Slot slot = Probe(current_, key);
    if (!slot.free) continue;  // put since: newer
    Write(current_, slot, key, value);
    ++count_;
  }
  journal_.Counted(count_);
  journal_.Migrated(migrated_);
  if (migrated_ == size) {
    old_ = {};
    journal_.Moved(current_, old_);
  }
}

std::optional<wire::OverlayValue> InodeTable::Find(const wire::InodeKey& key) const {
  for (const Place& table : {current_, old_}) {
    if (table.log2 == 0) continue;
    const Slot slot = Probe(table, key);
    if (slot.free) continue;
    if (!slot.same) return std::nullopt;
    const wire::OverlayValue value = ValueOf(Entries(table)[slot.index]);
    if (value.fields == 0) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

bool InodeTable::NeedsEntry(const wire::InodeKey& key) const { return current_.log2 == 0 || Probe(current_, key).free; }

void InodeTable::Put(const wire::InodeKey& key, const wire::OverlayValue& value) {
  Migrate(kMigratedPerPut);
  const Slot slot = Probe(current_, key);
  Write(current_, slot, key, value);
  if (slot.free) journal_.Counted(++count_);
  // A reader that finds a dead entry in the new table goes on to the old.
  if (value.fields == 0 && old_.log2 != 0) {
    const Slot before = Probe(old_, key);
    if (before.same) Write(old_, before, key, value);
  }
}

}  // namespace guise::server
