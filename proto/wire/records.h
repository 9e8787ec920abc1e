// Records of processes and threads, in request memory. Guests take them by CAS; the server checks what they say against
// the kernel (pidfd, start time) and believes it for illusions only, never for confinement.
#ifndef GUISE_PROTO_WIRE_RECORDS_H_
#define GUISE_PROTO_WIRE_RECORDS_H_

#include <stdint.h>

#include "proto/wire/cell.h"
#include "proto/wire/slot.h"

namespace guise::wire {

// Where calls were answered.
enum class Placement : uint8_t { kKernel = 0, kShim = 1, kServer = 2 };
inline constexpr uint32_t kPlacements = 3;
inline constexpr uint32_t kParities = 2;

// One process. Taken by the loader and by fork children, given back at exit_group or by the server when the pidfd
// fires. An exec keeps the record: the loader finds the one that holds its pid. With kKeepsIdentities the parent takes
// a fork child's, in its own name; either then puts the child's pid there, of the same generation.
struct ProcessRecord {
  // Owner(generation, pid in the pid namespace of the guest): held or free, see slot.h invariant 3. A holder that dies
  // right after it has taken the record has left its name.
  Cell<uint64_t> owner;
  // CLOCK_BOOTTIME, ns: a process that started later only reuses the pid. Written after `owner`: until then it is the
  // last holder's. 0: of a child that is being forked; nobody is known by it.
  Cell<uint64_t> taken_at;
  Cell<uint32_t> parent;  // process record of the parent + 1; 0: the launcher
  Cell<uint32_t> parent_generation;
  Cell<uint32_t> execs;  // successful execs, counted by the loader
  char comm[16];         // as PR_GET_NAME; for people, torn reads are harmless
  // Landlock domains that it lies in, of itself and of those that made it, and of its parent when that made it: who has
  // restricted itself since may not trace. Also over an exec.
  Cell<uint32_t> landlock_layers;
  Cell<uint32_t> parent_landlock_layers;
  uint8_t reserved[12];
};
static_assert(sizeof(ProcessRecord) == kLineSize);

// One thread: what it is doing, and how many calls it made. Single writer: the thread.
struct ThreadRecord {
  Cell<uint64_t> owner;  // Owner(generation, process record)
  Cell<uint32_t> tid;    // in the pid namespace of the guest
  Cell<uint32_t>
      in_gate;  // the epoch under which the thread is answering a call in the shim; 0: none (epochs start at 1)
  Cell<uint64_t> calls[kPlacements][kParities];  // by placement and epoch & 1
};
static_assert(sizeof(ThreadRecord) == kLineSize);

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_RECORDS_H_
