// Sizes and offsets of a session's three memories. docs/WIRE.md says the same in words, and a test holds the two
// together. Request and reply memories have the same shape up to kTablesOffset, so that a slot is named by one index on
// both sides.
//
//   offset    request memory (guests write)         reply memory (the server writes)
//   0         group pages                           group pages; page 0 holds the published page too
//   480 pages panic records, 64 KiB                 action table
//   481 pages                                       direct table, two pages
//   483 pages                                       text rules, 16 KiB
//   511 pages the site book, 129 pages              the site book of sessions before
//   2.5 MiB   inbound payload, 16 KiB a slot        outbound payload, 16 KiB a slot
//   62.5 MiB  unused                                identities, one a process record
//   64 MiB    end                                   overlay tables, up to the session's limit
#ifndef GUISE_PROTO_WIRE_LAYOUT_H_
#define GUISE_PROTO_WIRE_LAYOUT_H_

#include <stdint.h>

#include "proto/wire/book.h"

namespace guise::wire {

inline constexpr uint64_t kPageSize = 4096;
inline constexpr uint64_t kLineSize = 64;

inline constexpr uint32_t kGroups = 480;
inline constexpr uint32_t kSlotsPerGroup = 8;
inline constexpr uint32_t kThreadsPerGroup = 16;
inline constexpr uint32_t kProcessesPerGroup = 16;
inline constexpr uint32_t kSlots = kGroups * kSlotsPerGroup;
inline constexpr uint32_t kThreads = kGroups * kThreadsPerGroup;
inline constexpr uint32_t kProcesses = kGroups * kProcessesPerGroup;

// Doorbells; the bell of a CPU is its number modulo Published::bells_in_use.
inline constexpr uint32_t kBells = 32;

// Payload of a slot: two paths of PATH_MAX and as much again for structures and results.
inline constexpr uint64_t kPayloadSize = 16384;

inline constexpr uint64_t kGroupsOffset = 0;
inline constexpr uint64_t kActionsOffset = uint64_t{kGroups} * kPageSize;  // reply: the shim action table, one page
inline constexpr uint64_t kDirectOffset = kActionsOffset + kPageSize;      // reply: the direct table, two pages
inline constexpr uint64_t kDirectSize = 2 * kPageSize;
inline constexpr uint64_t kTextRulesOffset = kDirectOffset + kDirectSize;  // reply
inline constexpr uint64_t kTextRulesSize = 4 * kPageSize;
inline constexpr uint64_t kPanicOffset = uint64_t{kGroups} * kPageSize;  // request: inside every guest's first window
inline constexpr uint64_t kPayloadOffset = uint64_t{5} << 19;
inline constexpr uint64_t kBookOffset = kPayloadOffset - sizeof(Book);              // of both
inline constexpr uint64_t kIdentityOffset = kPayloadOffset + (uint64_t{60} << 20);  // reply
inline constexpr uint64_t kTablesOffset = uint64_t{64} << 20;                       // reply

inline constexpr uint64_t kRequestSize = uint64_t{64} << 20;
inline constexpr uint64_t kReplySizeDefault = uint64_t{256} << 20;
inline constexpr uint64_t kStoreSizeDefault = uint64_t{256} << 20;

// What a guest maps of each memory at first; more when a slot beyond it is taken.
inline constexpr uint64_t kFirstWindow = uint64_t{4} << 20;

// Syscall numbers that the tables know; all others run natively.
inline constexpr uint32_t kTableNumbers = 1024;

constexpr uint64_t PayloadOffset(uint32_t slot) { return kPayloadOffset + uint64_t{slot} * kPayloadSize; }

static_assert(kTextRulesOffset + kTextRulesSize <= kBookOffset);
static_assert(PayloadOffset(kSlots) == kIdentityOffset);

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_LAYOUT_H_
