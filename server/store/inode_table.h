// An inode table (wire/overlay.h) that grows: the writer's side. The store has one, which outlives the server, and
// reply memory has one, which guests read without locks.
//
// Growth: a table twice as large is begun behind the others, each Put() moves a few entries, and readers look into the
// new one, then the old. Memory of old tables is not used again, so a reader that is late reads old bytes, never
// strange ones; it finds that the descriptor has moved and starts again.
//
// A file that has the inode number of an earlier one takes over its entry.
//
// Thread safety: one writer; FindOverlay() of wire/overlay.h by any reader.
#ifndef GUISE_SERVER_STORE_INODE_TABLE_H_
#define GUISE_SERVER_STORE_INODE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "proto/wire/overlay.h"

namespace guise::server {

class InodeTable {
 public:
  struct Place {
    uint64_t offset = 0;  // in the memory
    uint32_t log2 = 0;    // 0: no table
  };

  // Where a table says what a reader or a successor needs to know. Called in this order by the table's writer.
  class Journal {
   public:
    virtual ~Journal() = default;
    // From now on look into `current`, then `old` (log2 == 0: nothing more). `current` is empty when it is new.
    virtual void Moved(const Place& current, const Place& old) = 0;
    // Entries of the old table below `migrated` are in the new one.
    virtual void Migrated(uint64_t migrated) = 0;
    virtual void Counted(uint64_t entries) = 0;
  };

  // The log2 of the first table.
  static constexpr uint32_t kFirstLog2 = 12;

  // Tables lie from `begin` to the end of `memory`, which is zero there. No table is made before the first Reserve().
  // REQUIRES: `memory` and `journal` outlive this; `begin` is a multiple of the page size.
  InodeTable(absl::Span<char> memory, uint64_t begin, Journal& journal);
  InodeTable(const InodeTable&) = delete;
  InodeTable& operator=(const InodeTable&) = delete;

  // Makes sure that `entries` new entries can be put. False: the memory is full.
  bool Reserve(uint32_t entries);
  // nullopt: no live entry.
  std::optional<wire::OverlayValue> Find(const wire::InodeKey& key) const;
  // Whether Put() would need an entry of its own for the key.
  bool NeedsEntry(const wire::InodeKey& key) const;
  // Sets the entry to an absolute value; fields == 0: dead. REQUIRES: Reserve()d, or !NeedsEntry().
  void Put(const wire::InodeKey& key, const wire::OverlayValue& value);

  // Of the current table, dead ones included; while it grows, those that have come over.
  uint64_t entries() const { return count_; }
  const Place& current() const { return current_; }
  const Place& old() const { return old_; }

 private:
  // The slot of the key, of the file that had its inode number before, or the free slot that ends the probe.
  struct Slot {
    uint64_t index;
    bool free;
    bool same;  // holds this very key
  };

  Slot Probe(const Place& table, const wire::InodeKey& key) const;
  wire::Cell<uint8_t>* Tags(const Place& table) const;
  wire::OverlayEntry* Entries(const Place& table) const;
  void Write(const Place& table, const Slot& slot, const wire::InodeKey& key, const wire::OverlayValue& value);
  void Migrate(uint32_t slots);
  bool Grow();

  const absl::Span<char> memory_;
  Journal& journal_;
  uint64_t next_offset_;
  Place current_;
  Place old_;
  uint64_t count_ = 0;
  uint64_t migrated_ = 0;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_STORE_INODE_TABLE_H_
