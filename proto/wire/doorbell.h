// Doorbells: how a guest tells a sleeping worker that something is posted, at the price of no syscall when it is awake.
//
//   guest                                       worker
//   1 sequence or done := ... (release)         1 parked := 1
//   2 flips ^= bit of the slot (full)           2 full fence
//   3 rung += 1 (full)                          3 rescan all groups; found work: parked := 0, serve, again from 1
//   4 parked != 0: futex wake on rung           4 futex wait on rung while it has the value read before 1
//                                               5 parked := 0
//
// Why no wake-up is lost: either the worker's rescan (3) sees the flip, or the guest's load of parked (4) comes after the
// worker's store (1), and then the guest wakes; and a wake that comes before the wait finds rung changed.
//
// Flips: a bit that differs from what the worker last saw says "look at this slot". The truth is TurnOf(): a flip without
// a turn is ignored. When the server reclaims a slot it takes the bit as seen.
#ifndef GUISE_PROTO_WIRE_DOORBELL_H_
#define GUISE_PROTO_WIRE_DOORBELL_H_

#include <stdint.h>

#include "proto/wire/cell.h"

namespace guise::wire {

// In request memory.
struct Bell {
  Cell<uint32_t> rung;  // guests add 1; workers futex-wait on it
  uint32_t reserved[3];
};
static_assert(sizeof(Bell) == 16);

// Guest's side. `parked` is the bell's word in reply memory. True: the caller must futex-wake bell.rung.
inline bool Ring(Bell& bell, const Cell<uint32_t>& parked, Cell<uint64_t>& flips, uint32_t bit) {
  flips.Flip(uint64_t{1} << bit);
  bell.rung.Add(1);
  return parked.Acquire() != 0;
}

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_DOORBELL_H_
