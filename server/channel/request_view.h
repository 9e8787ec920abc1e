// RequestView: where things lie in request memory. Guests write there whenever they like, so that every word is
// hostile: read it once, check the copy, use the copy.
//
// Thread safety: immutable; the words are Cells.
#ifndef GUISE_SERVER_CHANNEL_REQUEST_VIEW_H_
#define GUISE_SERVER_CHANNEL_REQUEST_VIEW_H_

#include <algorithm>
#include <cstdint>

#include "proto/wire/layout.h"
#include "proto/wire/request.h"

namespace guise::server {

class RequestView {
 public:
  // REQUIRES: `base` is a mapping of wire::kRequestSize bytes that outlives this.
  explicit RequestView(const char* base) : base_(base) {}

  // REQUIRES, of every index: below the limit in layout.h.
  // SAFETY: `base` is page-aligned, groups are pages, and any bytes are a valid group.
  const wire::RequestGroup& Group(uint32_t group) const {
    return *reinterpret_cast<const wire::RequestGroup*>(base_ + wire::kGroupsOffset + group * wire::kPageSize);
  }
  const wire::RequestSlot& Slot(uint32_t slot) const {
    return Group(slot / wire::kSlotsPerGroup).slots[slot % wire::kSlotsPerGroup];
  }
  const wire::ThreadRecord& Thread(uint32_t thread) const {
    return Group(thread / wire::kThreadsPerGroup).threads[thread % wire::kThreadsPerGroup];
  }
  const wire::ProcessRecord& Process(uint32_t process) const {
    return Group(process / wire::kProcessesPerGroup).processes[process % wire::kProcessesPerGroup];
  }
  const wire::RequestRoot& Root() const { return Group(0).root; }
  const char* Inbound(uint32_t slot) const { return base_ + wire::PayloadOffset(slot); }

  // Groups that guests say they use; 1 to kGroups whatever they say.
  uint32_t GroupsUsed() const { return std::clamp(Root().header.groups_used.Acquire(), 1u, wire::kGroups); }

 private:
  const char* base_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CHANNEL_REQUEST_VIEW_H_
