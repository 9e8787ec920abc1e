// Inode overlays: a published hash table from (device, inode, birth time) to the owner, group, type and device number
// that guests are shown. A `stat` under an overlay is one native statx and a look-up here.
//
// A table of 2^log2 entries, log2 >= 3 so that entries lie aligned, at `offset` in reply memory, a multiple of 8: first
// one tag byte an entry, then the entries. Linear probing from Bucket(); a tag of 0 is free and ends a probe; entries
// are never removed (a dead one has fields == 0), so probes stay right without locks. At most 3/4 full.
//
// Writer: entry.sequence odd, release fence, fields, sequence even (release), then the tag (release). Reader: tag
// equal, sequence even, copy, sequence unchanged; else the entry is torn and the call is reflected.
//
// An entry whose birth time differs from the file's is another file's, one that had the inode number before.
#ifndef GUISE_PROTO_WIRE_OVERLAY_H_
#define GUISE_PROTO_WIRE_OVERLAY_H_

#include <stdint.h>

#include "proto/wire/cell.h"

namespace guise::wire {

struct InodeKey {
  uint64_t ino;
  int64_t birth_seconds;  // 0 and 0: the file system tells no birth time
  uint32_t birth_nanoseconds;
  uint32_t dev;  // as the kernel encodes st_dev of 32 bits: EncodeDev
  friend constexpr bool operator==(const InodeKey& a, const InodeKey& b) {
    return a.ino == b.ino && a.birth_seconds == b.birth_seconds && a.birth_nanoseconds == b.birth_nanoseconds &&
           a.dev == b.dev;
  }
};

enum OverlayField : uint32_t {
  kOverlayUid = 1u << 0,
  kOverlayGid = 1u << 1,
  kOverlayType = 1u << 2,
  kOverlayRdev = 1u << 3,
  // Not shown; of a file with kOverlayGid: what the server has seen it to be.
  kOverlayDirectory = 1u << 4,
  kOverlaySetGroup = 1u << 5,  // a directory with the set-group-ID bit: what is made in it gets its group
};

struct OverlayValue {
  uint32_t fields;  // OverlayField
  uint32_t uid;
  uint32_t gid;
  uint32_t type;  // of the file: the S_IFMT bits of its mode, inode(7)
  uint32_t rdev;  // EncodeDev
};

struct OverlayEntry {
  Cell<uint32_t> sequence;
  Cell<uint32_t> dev;
  Cell<uint64_t> ino;
  Cell<int64_t> birth_seconds;
  Cell<uint32_t> birth_nanoseconds;
  Cell<uint32_t> fields;
  Cell<uint32_t> uid;
  Cell<uint32_t> gid;
  Cell<uint32_t> type;
  Cell<uint32_t> rdev;
};
static_assert(sizeof(OverlayEntry) == 48);

// ABI: include/linux/kdev_t.h, new_encode_dev().
constexpr uint32_t EncodeDev(uint32_t major, uint32_t minor) {
  return (minor & 0xff) | (major << 8) | ((minor & ~uint32_t{0xff}) << 12);
}

constexpr uint32_t DevMajor(uint32_t dev) { return dev >> 8 & 0xfff; }
constexpr uint32_t DevMinor(uint32_t dev) { return (dev & 0xff) | (dev >> 12 & 0xfff00); }

// All but the times, whose names differ between the libc's `struct stat` and the kernel's.
// ABI: fs/stat.c, cp_new_stat().
template <typename Stat, typename Statx>
constexpr void CopyToStat(const Statx& from, Stat* to) {
  to->st_dev = EncodeDev(from.stx_dev_major, from.stx_dev_minor);
  to->st_ino = from.stx_ino;
  to->st_nlink = from.stx_nlink;
  to->st_mode = from.stx_mode;
  to->st_uid = from.stx_uid;
  to->st_gid = from.stx_gid;
  to->st_rdev = EncodeDev(from.stx_rdev_major, from.stx_rdev_minor);
  to->st_size = static_cast<decltype(to->st_size)>(from.stx_size);
  to->st_blksize = from.stx_blksize;
  to->st_blocks = static_cast<decltype(to->st_blocks)>(from.stx_blocks);
}

constexpr uint64_t OverlayTableBytes(uint32_t log2) { return (uint64_t{1} << log2) * (1 + sizeof(OverlayEntry)); }
constexpr uint64_t OverlayEntriesOffset(uint32_t log2) { return uint64_t{1} << log2; }

// Neighbouring inodes share a neighbourhood of the table, so that a tree walk touches few pages.
constexpr uint64_t Bucket(const InodeKey& key, uint32_t log2) {
  uint64_t h = (key.ino >> 5) * 0x9e3779b97f4a7c15u ^ uint64_t { key.dev } * 0xc2b2ae3d27d4eb4fu;
  h ^= h >> 29;
  h *= 0xbf58476d1ce4e5b9u;
  h ^= h >> 32;
  return ((h << 5) | (key.ino & 31)) & ((uint64_t{1} << log2) - 1);
}

// Never 0.
constexpr uint8_t Tag(const InodeKey& key) {
  const uint64_t h = (key.ino ^ static_cast<uint64_t>(key.birth_nanoseconds) << 17 ^ key.dev) * 0x9e3779b97f4a7c15u;
  return static_cast<uint8_t>((h >> 57) | 0x80);
}

inline InodeKey KeyOf(const OverlayEntry& entry) {
  return {entry.ino.Relaxed(), entry.birth_seconds.Relaxed(), entry.birth_nanoseconds.Relaxed(), entry.dev.Relaxed()};
}
inline OverlayValue ValueOf(const OverlayEntry& entry) {
  return {entry.fields.Relaxed(), entry.uid.Relaxed(), entry.gid.Relaxed(), entry.type.Relaxed(), entry.rdev.Relaxed()};
}

// Writes place `index` of the table. REQUIRES: the only writer; the place is free or holds this inode number.
inline void WriteOverlay(Cell<uint8_t>* tags, uint32_t log2, uint64_t index, const InodeKey& key,
                         const OverlayValue& value) {
  OverlayEntry& entry = reinterpret_cast<OverlayEntry*>(tags + OverlayEntriesOffset(log2))[index];
  // Odd already when a server died here.
  const uint32_t odd = entry.sequence.Relaxed() | 1;
  entry.sequence.StoreRelaxed(odd);
  ReleaseFence();
  entry.dev.StoreRelaxed(key.dev);
  entry.ino.StoreRelaxed(key.ino);
  entry.birth_seconds.StoreRelaxed(key.birth_seconds);
  entry.birth_nanoseconds.StoreRelaxed(key.birth_nanoseconds);
  entry.fields.StoreRelaxed(value.fields);
  entry.uid.StoreRelaxed(value.uid);
  entry.gid.StoreRelaxed(value.gid);
  entry.type.StoreRelaxed(value.type);
  entry.rdev.StoreRelaxed(value.rdev);
  entry.sequence.Release(odd + 1);
  tags[index].Release(Tag(key));
}

enum class Lookup { kMiss, kHit, kTorn };

// `tags` points at a table of 2^log2 entries. REQUIRES: log2 >= 3.
inline Lookup FindOverlay(const Cell<uint8_t>* tags, uint32_t log2, const InodeKey& key, OverlayValue* value) {
  const uint64_t mask = (uint64_t{1} << log2) - 1;
  const auto* entries = reinterpret_cast<const OverlayEntry*>(tags + OverlayEntriesOffset(log2));
  const uint8_t tag = Tag(key);
  uint64_t i = Bucket(key, log2);
  for (uint64_t probes = 0; probes <= mask; ++probes, i = (i + 1) & mask) {
    const uint8_t seen = tags[i].Acquire();
    if (seen == 0) return Lookup::kMiss;
    if (seen != tag) continue;
    const OverlayEntry& entry = entries[i];
    const uint32_t before = entry.sequence.Acquire();
    const InodeKey found = KeyOf(entry);
    const OverlayValue copy = ValueOf(entry);
    AcquireFence();
    if ((before & 1) != 0 || entry.sequence.Relaxed() != before) return Lookup::kTorn;
    if (!(found == key)) continue;
    *value = copy;
    return copy.fields != 0 ? Lookup::kHit : Lookup::kMiss;
  }
  return Lookup::kMiss;
}

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_OVERLAY_H_
