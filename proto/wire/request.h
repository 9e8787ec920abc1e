// Request memory: guests write, the server reads. Every value in it is hostile to the server.
#ifndef GUISE_PROTO_WIRE_REQUEST_H_
#define GUISE_PROTO_WIRE_REQUEST_H_

#include <stddef.h>
#include <stdint.h>

#include "proto/wire/cell.h"
#include "proto/wire/doorbell.h"
#include "proto/wire/layout.h"
#include "proto/wire/records.h"
#include "proto/wire/slot.h"
#include "proto/wire/version.h"

namespace guise::wire {

// All slots taken: nobody's free slot is overlooked, and nobody waits while one is free.
//
//   waiter                                          who frees
//   full_waiters += 1 (full)                        owner := FreeOf(owner); full fence
//   f := full; r := ReplyGroup::reclaims            full_waiters != 0: full += 1, futex wake all on full
//   looks at all slots again; none:
//   futex_waitv: full is f and reclaims is r        who reclaims (the server)
//   full_waiters -= 1; from the start               reclaimed := owner; reclaims += 1; futex wake all on reclaims
//
// The server does not write `full`, hence the second word. It raises reclaims after every death of a guest, also when
// there was nothing to reclaim: the guest may have died between freeing its slot and raising full, or as the only one
// woken. Where futex_waitv(2) is refused, the waiter waits on `full` with a timeout.

// Written by the server before any guest exists, never after.
struct RequestHeader {
  uint64_t magic;
  uint16_t abi_min;
  uint16_t abi_max;
  uint32_t session;
  uint64_t features;
  uint64_t size;
  // Guests only.
  Cell<uint32_t> groups_used;   // highest group ever used + 1; only grows, before the group's first post
  Cell<uint32_t> full;          // futex: raised when a slot is freed while full_waiters != 0
  Cell<uint32_t> full_waiters;  // guests that wait for a slot
  uint32_t reserved[5];
};
static_assert(sizeof(RequestHeader) == kLineSize);

// Calls of threads that are gone and whose records were given back by themselves.
struct Totals {
  Cell<uint64_t> calls[kPlacements][kParities];
  Cell<uint64_t> panics;  // panic records ever written
  uint64_t reserved;
};
static_assert(sizeof(Totals) == kLineSize);

// Why a call site that is used often is not rewritten.
enum class SiteKept : uint32_t {
  kNextInstruction = 0,  // it cannot be moved, or is too short
  kPageEnd = 1,          // the jump would lie on two pages
  kText = 2,             // not a private mapping of a file, executable and not writable
  kNumber = 3,           // of a call that looks at the place that it comes from, or of none
  kRoom = 4,             // no place for a stub
  kHost = 5,             // the kernel refuses to write text, to synchronize threads, or %gs is the guest's
};
inline constexpr uint32_t kSiteKept = 6;

// Call sites, counted by the guests since the session began; once in each process.
struct SiteTotals {
  Cell<uint64_t> caught;      // calls that took a signal; a thread adds kCaughtStep at a time, and the rest at its end
  Cell<uint64_t> near;        // rewritten, with a stub in the image
  Cell<uint64_t> far;         // rewritten, with a stub beside the text
  Cell<uint64_t> stub_bytes;  // of both
  Cell<uint64_t> kept[kSiteKept];
  Cell<uint64_t> known;  // of `near` and `far`: rewritten by the site book, while the file was mapped
  uint64_t reserved[5];
};
static_assert(sizeof(SiteTotals) == 2 * kLineSize);
inline constexpr uint32_t kCaughtStep = 64;

// The rest of the first group's page.
struct RequestRoot {
  RequestHeader header;
  Totals totals;
  Bell bells[kBells];
  SiteTotals sites;
  uint8_t reserved[192];
};

struct GroupHeader {
  Cell<uint64_t> posts;  // byte i: how often slot i of the group was posted, modulo 256; see doorbell.h
  uint8_t reserved[56];
};
static_assert(sizeof(GroupHeader) == kLineSize);

// One page: all that a call touches in request memory beside its payload.
struct RequestGroup {
  GroupHeader header;
  RequestSlot slots[kSlotsPerGroup];
  ThreadRecord threads[kThreadsPerGroup];
  ProcessRecord processes[kProcessesPerGroup];
  RequestRoot root;  // meaningful in group 0 only
};
static_assert(sizeof(RequestGroup) == kPageSize);
static_assert(offsetof(RequestGroup, slots) == 64);
static_assert(offsetof(RequestGroup, threads) == 1088);
static_assert(offsetof(RequestGroup, processes) == 2112);
static_assert(offsetof(RequestGroup, root) == 3136);

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_REQUEST_H_
