// ReplyView: the server's side of reply memory: answers, what was given back, and the published page. It only writes:
// what the server needs to know again it keeps for itself, since a guest may have found a way to write here too.
//
// Thread safety: none; the session's strand. Guests read at any time: each function says in what order they see it.
#ifndef GUISE_SERVER_CHANNEL_REPLY_VIEW_H_
#define GUISE_SERVER_CHANNEL_REPLY_VIEW_H_

#include <cstdint>

#include "absl/types/span.h"
#include "proto/wire/layout.h"
#include "proto/wire/published.h"
#include "server/stack/epoch.h"
#include "server/store/store.h"

namespace guise::server {

class ReplyView {
 public:
  // REQUIRES: `base` is a writable mapping of reply memory that outlives this.
  explicit ReplyView(char* base) : base_(base) {}

  // Stores the answer, its key last (release), and wakes who waits for it.
  void Answer(uint32_t slot, uint64_t key, wire::Verb verb, uint32_t packed_nr, const uint64_t (&args)[6]);
  // Stores a key alone: no guest is there to read the line.
  void Settle(uint32_t slot, uint64_t key) { Line(slot).answer.Release(key); }
  // Wakes the slot's waiters without an answer.
  void Wake(uint32_t slot);
  absl::Span<char> Outbound(uint32_t slot) { return {base_ + wire::PayloadOffset(slot), wire::kPayloadSize}; }

  // Gives back what `owner` held (slot.h, invariant 3); everything stored before is seen by the next holder.
  void ReclaimSlot(uint32_t slot, uint64_t owner);
  void ReclaimThread(uint32_t thread, uint64_t owner);
  void ReclaimProcess(uint32_t process, uint64_t owner);
  // Wakes guests that wait for a slot; after every death of a guest (request.h).
  void RaiseReclaims();

  // Publishes under the sequence lock, together with `bells` for bells_in_use.
  void Publish(const Tables& tables, uint32_t bells);
  void Publish(const OverlayPlace& place);

  wire::Cell<uint32_t>& Parked(uint32_t bell) { return Group(0).parked[bell]; }

 private:
  // SAFETY: as in RequestView.
  wire::ReplyGroup& Group(uint32_t group) const {
    return *reinterpret_cast<wire::ReplyGroup*>(base_ + wire::kGroupsOffset + group * wire::kPageSize);
  }
  wire::ReplyLine& Line(uint32_t slot) const {
    return Group(slot / wire::kSlotsPerGroup).lines[slot % wire::kSlotsPerGroup];
  }

  void BeginPublishing();
  void EndPublishing();

  char* base_;
  uint32_t sequence_ = 0;  // of the published page; even
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CHANNEL_REPLY_VIEW_H_
