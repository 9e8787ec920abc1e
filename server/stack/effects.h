// Effects: what a call does beside its result. Handlers ask for copies into the guest's memory and for changes of state
// while they run; both take place with the final answer, or not at all.
//
// Thread safety: none; a conversation owns it.
#ifndef GUISE_SERVER_STACK_EFFECTS_H_
#define GUISE_SERVER_STACK_EFFECTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/types/span.h"
#include "personalities/api/inode.h"
#include "proto/wire/overlay.h"
#include "proto/wire/store.h"
#include "server/stack/payload.h"
#include "server/store/store.h"

namespace guise::server {

// What store and published tables know a file by.
wire::InodeKey KeyOf(const api::Inode& inode);

class Effects {
 public:
  // Copies the bytes, which lie in the payload until then, to where the guest's argument `origin` points.
  void CopyOut(uint8_t origin, std::string_view bytes, Payload& payload);
  // As of api::Port::CopyOutAlways().
  void CopyOutAlways() { copies_out_always_ = true; }
  void Change(PendingChange change);
  // The call cannot succeed: what it asked for has no place.
  void Fail(int error) { failure_ = error; }

  // Nothing was asked for: the result is all.
  bool empty() const { return change_count_ == 0 && copy_out_count_ == 0 && failure_ == 0; }
  // Why a call that would succeed cannot; 0: it can.
  int failure() const { return failure_; }
  absl::Span<const PendingChange> changes() const { return absl::MakeConstSpan(changes_.data(), change_count_); }
  // Writes the wire::CopyOut words of a call that has succeeded, or failed, over words[0..4].
  void PutCopyOuts(bool succeeded, uint64_t* words) const;

  // For the next call.
  void Clear();

 private:
  static constexpr size_t kMaxCopyOuts = 5;  // as many as an answer has words behind the result

  std::array<PendingChange, wire::kIntentChanges> changes_;
  size_t change_count_ = 0;
  std::array<uint64_t, kMaxCopyOuts> copy_outs_ = {};
  size_t copy_out_count_ = 0;
  bool copies_out_always_ = false;
  int failure_ = 0;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_EFFECTS_H_
