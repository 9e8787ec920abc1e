#include "shim/memories.h"

#include <linux/mman.h>

#include "proto/wire/layout.h"
#include "proto/wire/overlay.h"
#include "shim/arch/x86_64/syscall.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::Cell;

// A mapping from offset 0 on. The pair grows only; base is stored before size.
struct Window {
  Cell<char*> base;
  Cell<uint64_t> size;
};
Window g_request;
Window g_reply;

// The overlay tables in use: the current one and, while it grows, the one before.
struct MappedTable {
  Cell<uint64_t> key;  // offset | log2, stored last
  Cell<const Cell<uint8_t>*> tags;
};
MappedTable g_tables[2];

int64_t Map(int32_t fd, uint64_t offset, uint64_t size, int protection) {
  return Native(Nr::mmap, nullptr, size, protection, MAP_SHARED, fd, offset);
}

// Threads that race map twice; the loser's mapping stays unused.
char* Grow(Window& window, int32_t fd, uint64_t size, int protection, uint64_t needed) {
  if (window.size.Acquire() >= needed) return window.base.Relaxed();
  const int64_t at = Map(fd, 0, size, protection);
  if (IsError(at)) return nullptr;
  window.base.Release(reinterpret_cast<char*>(at));
  window.size.Release(size);
  return reinterpret_cast<char*>(at);
}

uint64_t NeededFor(uint32_t group) { return wire::PayloadOffset((group + 1) * wire::kSlotsPerGroup); }

bool Speaks(uint64_t magic, uint64_t expected, uint16_t abi_min, uint16_t abi_max) {
  return magic == expected && wire::Agree({wire::kAbiMin, wire::kAbiMax}, {abi_min, abi_max}) != 0;
}

}  // namespace

int64_t MapMemories(int32_t request_fd, int32_t reply_fd) {
  const int64_t request = Map(request_fd, 0, wire::kFirstWindow, PROT_READ | PROT_WRITE);
  if (IsError(request)) return request;
  const int64_t reply = Map(reply_fd, 0, wire::kFirstWindow, PROT_READ);
  if (IsError(reply)) return reply;
  g_request.base.Release(reinterpret_cast<char*>(request));
  g_request.size.Release(wire::kFirstWindow);
  g_reply.base.Release(reinterpret_cast<char*>(reply));
  g_reply.size.Release(wire::kFirstWindow);
  const wire::RequestHeader& asked = RootRequest().root.header;
  const wire::ReplyHeader& told = RootReply().header;
  const bool ok = Speaks(asked.magic, wire::kRequestMagic, asked.abi_min, asked.abi_max) &&
                  Speaks(told.magic, wire::kReplyMagic, told.abi_min, told.abi_max);
  return ok ? 0 : -EPROTO;
}

wire::RequestGroup& RootRequest() { return *reinterpret_cast<wire::RequestGroup*>(g_request.base.Relaxed()); }
const wire::ReplyGroup& RootReply() { return *reinterpret_cast<const wire::ReplyGroup*>(g_reply.base.Relaxed()); }

wire::RequestGroup* RequestGroupAt(const ProcessState& process, uint32_t group) {
  char* const base = Grow(g_request, process.request_fd, wire::kRequestSize, PROT_READ | PROT_WRITE, NeededFor(group));
  return base == nullptr ? nullptr : reinterpret_cast<wire::RequestGroup*>(base) + group;
}

const wire::ReplyGroup* ReplyGroupAt(const ProcessState& process, uint32_t group) {
  const char* const base = Grow(g_reply, process.reply_fd, wire::kTablesOffset, PROT_READ, NeededFor(group));
  return base == nullptr ? nullptr : reinterpret_cast<const wire::ReplyGroup*>(base) + group;
}

char* InboundPayload(uint32_t slot) { return g_request.base.Acquire() + wire::PayloadOffset(slot); }
const char* OutboundPayload(uint32_t slot) { return g_reply.base.Acquire() + wire::PayloadOffset(slot); }

const wire::Action& ActionAt(uint32_t index) {
  return reinterpret_cast<const wire::Action*>(g_reply.base.Relaxed() + wire::kActionsOffset)[index % wire::kActions];
}

const Cell<uint64_t>* DirectTable() {
  return reinterpret_cast<const Cell<uint64_t>*>(g_reply.base.Relaxed() + wire::kDirectOffset);
}

const char* TextRules() { return g_reply.base.Relaxed() + wire::kTextRulesOffset; }

const wire::Book& SitesBefore() {
  return *reinterpret_cast<const wire::Book*>(g_reply.base.Relaxed() + wire::kBookOffset);
}

const Cell<uint8_t>* OverlayTable(const ProcessState& process, uint64_t offset, uint32_t log2) {
  const uint64_t key = offset | log2;  // tables are page-aligned
  for (MappedTable& table : g_tables) {
    if (table.key.Acquire() == key) return table.tags.Relaxed();
  }
  // A replaced mapping stays: another thread may be reading it. Tables double, so that all of them together are no
  // larger than the last.
  const int64_t at = Map(process.reply_fd, offset, wire::OverlayTableBytes(log2), PROT_READ);
  if (IsError(at)) return nullptr;
  const auto* tags = reinterpret_cast<const Cell<uint8_t>*>(at);
  MappedTable& table = g_tables[g_tables[0].key.Relaxed() > g_tables[1].key.Relaxed() ? 1 : 0];
  table.key.Release(0);
  table.tags.StoreRelaxed(tags);
  table.key.Release(key);
  return tags;
}

MappedMemory MappedMemoryAt(uint32_t index) {
  if (index < 2) {
    Window& window = index == 0 ? g_request : g_reply;
    const uint64_t size = window.size.Acquire();
    return {window.base.Acquire(), size};
  }
  const MappedTable& table = g_tables[index - 2];
  const uint64_t key = table.key.Acquire();
  constexpr uint64_t kLog2 = 4095;
  return {table.tags.Relaxed(), key == 0 ? 0 : wire::OverlayTableBytes(static_cast<uint32_t>(key & kLog2))};
}

wire::PanicRecord* NewPanicRecord() {
  char* const base = g_request.base.Relaxed();
  if (base == nullptr) return nullptr;
  const uint64_t number = RootRequest().root.totals.panics.Add(1);
  auto* records = reinterpret_cast<wire::PanicRecord*>(base + wire::kPanicOffset);
  return &records[number % wire::kPanics];
}

}  // namespace guise::shim
