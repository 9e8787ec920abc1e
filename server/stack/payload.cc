#include "server/stack/payload.h"

#include <algorithm>
#include <cstring>

#include "personalities/api/argument.h"
#include "proto/wire/layout.h"
#include "proto/wire/slot.h"

namespace guise::server {

using api::Argument;

namespace {

constexpr uint32_t AlignUp(size_t bytes) { return static_cast<uint32_t>((bytes + 7) & ~size_t{7}); }

}  // namespace

uint32_t Payload::Put(std::string_view bytes) {
  const uint32_t offset = outbound_used_;
  if (bytes.size() >= outbound_.size() - offset) return Argument::kNoOffset;
  std::copy(bytes.begin(), bytes.end(), outbound_.begin() + offset);
  outbound_[offset + bytes.size()] = '\0';
  outbound_used_ = std::min(AlignUp(offset + bytes.size() + 1), static_cast<uint32_t>(outbound_.size()));
  return offset;
}

uint32_t Payload::Reserve(size_t bytes) {
  if (bytes > wire::kPayloadSize - wire::kRunAreaOffset - inbound_used_) return Argument::kNoOffset;
  const uint32_t offset = inbound_used_;
  inbound_used_ += AlignUp(bytes);
  return static_cast<uint32_t>(wire::kRunAreaOffset) + offset;
}

void Payload::Read(uint32_t offset, void* to, size_t bytes) const {
  const size_t at = offset - wire::kRunAreaOffset;
  if (offset < wire::kRunAreaOffset || at > run_area_.size() || bytes > run_area_.size() - at) {
    std::memset(to, 0, bytes);
    return;
  }
  std::memcpy(to, run_area_.data() + at, bytes);
}

}  // namespace guise::server
