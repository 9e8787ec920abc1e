// Store memory: what outlives a server. Server and keeper only; guests never map it.
//
// State changes by one commit: an intent with absolute post-images, commit := key (release), applied to the tables,
// applied := key, then the reply value, then the answer. A successor first redoes each intent whose commit is its
// slot's running call and which is not applied, then replays conversations against their step logs, then rebuilds the
// reply memory from the tables here.
#ifndef GUISE_PROTO_WIRE_STORE_H_
#define GUISE_PROTO_WIRE_STORE_H_

#include <stddef.h>
#include <stdint.h>

#include "proto/wire/cell.h"
#include "proto/wire/layout.h"
#include "proto/wire/overlay.h"

namespace guise::wire {

inline constexpr uint32_t kStackNameSize = 256;
inline constexpr uint32_t kLoggedSteps = 32;
inline constexpr uint32_t kIntentChanges = 8;
inline constexpr uint32_t kNotifications = 256;

struct StoreHeader {
  uint64_t magic;
  uint16_t abi_min;
  uint16_t abi_max;
  uint32_t session;
  uint64_t features;
  uint64_t size;
  Cell<uint32_t> server_generation;
  Cell<uint32_t> epoch;
  Cell<uint32_t> inode_log2;      // current inode table
  Cell<uint32_t> inode_old_log2;  // while it grows
  Cell<uint64_t> inode_offset;
  Cell<uint64_t> inode_old_offset;
  Cell<uint64_t> inode_count;
  Cell<uint64_t> inode_migrated;  // entries of the old table below it are in the new one; written after the copy
  Cell<uint64_t> heap_used;       // bytes past kStoreHeapOffset
  Cell<uint64_t> host_ids;        // uid << 32 | gid of the session's owner
  char stack[kStackNameSize];     // the stack of `epoch`, as the operator wrote it
  Cell<uint64_t> notifications[kNotifications];  // ids of seccomp notifications received and not answered
  Cell<uint64_t> attributes;  // the attribute block that was written last: heap offset + 1; 0: there is none
  uint8_t reserved[1688];
};
static_assert(sizeof(StoreHeader) == kPageSize);

enum class ChangeKind : uint32_t { kNone = 0, kInode = 1, kIdentity = 2, kAttributes = 3 };

// Fake credentials of a process: post-image.
inline constexpr uint32_t kInlineGroups = 32;
struct IdentityValue {
  uint32_t uid[4];  // real, effective, saved, filesystem
  uint32_t gid[4];
  uint32_t group_count;    // beyond kInlineGroups the list lies in the heap
  uint32_t groups_offset;  // heap offset / 8, with group_count > kInlineGroups
  uint64_t permitted;      // capabilities: bit n is capability n
  uint64_t effective;
  uint64_t inheritable;
  uint32_t groups[kInlineGroups];
};

// The extended attributes of a file that the session keeps: post-image, in the heap. Of a file's blocks the latest
// holds; the others stay. Behind it lie the names, each with a NUL at its end, then for each name the size of its value
// (uint32_t) and the value.
struct AttributeBlock {
  InodeKey key;
  Cell<uint64_t> before;  // the block that was written before this one, as StoreHeader::attributes
  uint32_t names;         // bytes
  uint32_t values;        // bytes, with the sizes
};
static_assert(sizeof(AttributeBlock) == 40);

// One change of an intent, an absolute post-image.
struct Change {
  uint32_t kind;     // ChangeKind
  uint32_t process;  // kIdentity: process record
  uint32_t generation;
  uint32_t execs;  // kIdentity: of the process record then
  union {
    struct {
      InodeKey key;
      OverlayValue value;
    } inode;
    IdentityValue identity;
    uint64_t block;  // kAttributes: heap offset
  };
};

struct LoggedStep {
  Cell<uint64_t> key;  // stored last, release
  Cell<uint64_t> result;
};

// One a slot.
struct SlotLog {
  LoggedStep steps[kLoggedSteps];
  Cell<uint64_t> commit;   // key of the call whose intent is committed; stored after the changes, release
  Cell<uint64_t> applied;  // key of the call whose intent is applied
  Cell<uint64_t> result;   // of the committed call
  Cell<uint32_t> changes;  // how many
  uint32_t reserved;
  Change change[kIntentChanges];
};

// One a process record.
struct StoredIdentity {
  Cell<uint32_t> generation;  // of the process record; stored last, release; 0: the stack's constants hold
  Cell<uint32_t> execs;       // of the process record then: an exec since has changed the saved ids
  IdentityValue value;
};

inline constexpr uint64_t kStoreLogOffset = kPageSize;
inline constexpr uint64_t kStoreIdentityOffset = uint64_t{16} << 20;
inline constexpr uint64_t kStoreInodeOffset = uint64_t{24} << 20;  // first inode table: tags, entries (overlay.h)
inline constexpr uint64_t kStoreHeapOffset = uint64_t{224} << 20;
static_assert(kStoreLogOffset + kSlots * sizeof(SlotLog) <= kStoreIdentityOffset);
static_assert(kStoreIdentityOffset + kProcesses * sizeof(StoredIdentity) <= kStoreInodeOffset);

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_STORE_H_
