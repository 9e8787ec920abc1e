// Doorbells: how a guest tells a sleeping worker that something is posted, at the price of no syscall when it is awake.
//
//   guest                                       worker
//   1 sequence, done or state := ... (release)  1 v := rung; parked := 1
//   2 posts += 1 in the slot's byte (full)      2 full fence
//   3 rung += 1 (full)                          3 rescan posts of all groups; found work: parked := 0, serve, from 1
//   4 parked != 0: futex wake on rung           4 futex wait on rung while it is v
//                                               5 parked := 0
//
// Why no wake-up is lost: either the worker's rescan (3) sees the post, or the guest's load of parked (4) comes after
// the worker's store (1), and then the guest wakes; and a wake that comes before the wait finds rung changed.
//
// Posts: a byte that differs from what the server last saw says "look at this slot"; the server notes the byte, then
// looks. The truth is TurnOf() and the state: a post without a turn is ignored. Bytes count and are no toggled bits,
// because a slot can be posted again before the server has looked: a call and then its interruption, or a guest killed
// between its sequence and its post, whose slot the next holder posts. Two toggles would look like none. 255 posts
// unseen are beyond a sound guest: call, interruption and abandonment make three.
//
// A server that starts reads posts first, then looks at every slot and wakes every answer: the one before it may have
// died between an answer and its wake.
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

// Guest's side, after the slot's own words. `slot` is the slot's place in its group, `posts` its group's word; `parked`
// is the bell's word in reply memory. True: the caller must futex-wake bell.rung.
inline bool Ring(Bell& bell, const Cell<uint32_t>& parked, Cell<uint64_t>& posts, uint32_t slot) {
  // Every 256th post carries into the next slot's byte: that slot is looked at for nothing.
  posts.Add(uint64_t{1} << (8 * slot));
  bell.rung.Add(1);
  return parked.Acquire() != 0;
}

// Server's side: bit i is set when slot i of the group was posted since `seen`.
constexpr uint32_t PostedSince(uint64_t posts, uint64_t seen) {
  const uint64_t changed = posts ^ seen;
  uint32_t slots = 0;
  for (uint32_t i = 0; i < 8; ++i) {
    if ((changed >> (8 * i) & 0xff) != 0) slots |= 1u << i;
  }
  return slots;
}

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_DOORBELL_H_
