// Payload: what a conversation puts into its slot's two payloads, and reads out of them: strings for native calls and
// what is copied out, outbound; room for results, inbound.
//
// Thread safety: none; a conversation owns it.
#ifndef GUISE_SERVER_STACK_PAYLOAD_H_
#define GUISE_SERVER_STACK_PAYLOAD_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/types/span.h"

namespace guise::server {

class Payload {
 public:
  // `outbound`: the slot's outbound payload.
  explicit Payload(absl::Span<char> outbound = {}) : outbound_(outbound) {}

  // What the guest's native call has left from wire::kRunAreaOffset on: the server's own copy.
  void TakeRunArea(absl::Span<const char> run_area) { run_area_ = run_area; }

  // Puts the bytes, and a NUL behind them. Their offset in the outbound payload, a multiple of eight, or
  // api::Argument::kNoOffset: there is no room.
  uint32_t Put(std::string_view bytes);
  // What was put at the offset; good until the next call. REQUIRES: so many bytes were.
  std::string_view At(uint32_t offset, size_t bytes) const { return {outbound_.data() + offset, bytes}; }
  // As Put(), of the inbound payload: room for what a native call writes.
  uint32_t Reserve(size_t bytes);
  // Zeros where nothing was taken from the guest. `offset`: of Reserve(), or any other.
  void Read(uint32_t offset, void* to, size_t bytes) const;

  // Bytes of the run area that were reserved.
  size_t run_area_used() const { return inbound_used_; }

 private:
  absl::Span<char> outbound_;
  absl::Span<const char> run_area_;
  uint32_t outbound_used_ = 0;
  uint32_t inbound_used_ = 0;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_PAYLOAD_H_
