// The session's memories as this process maps them.
//
// At first a window of each; the whole when a slot beyond the window is taken. A window once mapped stays, so pointers
// into it stay good.
#ifndef GUISE_SHIM_MEMORIES_H_
#define GUISE_SHIM_MEMORIES_H_

#include <stdint.h>

#include "proto/wire/book.h"
#include "proto/wire/panic.h"
#include "proto/wire/published.h"
#include "proto/wire/request.h"
#include "shim/thread/process.h"

namespace guise::shim {

// Maps the first windows and checks magic and version words. 0 or -errno (-EPROTO: not Guise's, or another version).
int64_t MapMemories(int32_t request_fd, int32_t reply_fd);

// REQUIRES: MapMemories succeeded. Group 0 holds the root, the header, the keeper's line and the published page.
wire::RequestGroup& RootRequest();
const wire::ReplyGroup& RootReply();

// Null when the window cannot be enlarged (out of memory).
wire::RequestGroup* RequestGroupAt(const ProcessState& process, uint32_t group);
const wire::ReplyGroup* ReplyGroupAt(const ProcessState& process, uint32_t group);

// Payload of a slot. REQUIRES: its group was got before.
char* InboundPayload(uint32_t slot);
const char* OutboundPayload(uint32_t slot);

// Any index leads to one of the table: it may be read while the page is written.
const wire::Action& ActionAt(uint32_t index);
const wire::Cell<uint64_t>* DirectTable();
const char* TextRules();
// What the server knows of call sites from sessions before.
const wire::Book& SitesBefore();

// An overlay table of 2^log2 entries at `offset` of the reply memory; null when it cannot be mapped.
const wire::Cell<uint8_t>* OverlayTable(const ProcessState& process, uint64_t offset, uint32_t log2);

// What of the session's memories is mapped: two windows, two tables. Size 0: not mapped.
struct MappedMemory {
  const void* start;
  uint64_t size;
};
inline constexpr uint32_t kMappedMemories = 4;
MappedMemory MappedMemoryAt(uint32_t index);

// A fresh panic record, or null while no memory is mapped.
wire::PanicRecord* NewPanicRecord();

}  // namespace guise::shim

#endif  // GUISE_SHIM_MEMORIES_H_
