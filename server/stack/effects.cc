#include "server/stack/effects.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "personalities/api/argument.h"
#include "proto/syscall/table.h"
#include "proto/wire/slot.h"

namespace guise::server {

using api::Argument;

wire::InodeKey KeyOf(const api::Inode& inode) {
  return {inode.number, inode.birth_seconds, inode.birth_nanoseconds,
          wire::EncodeDev(inode.device_major, inode.device_minor)};
}

void Effects::CopyOut(uint8_t origin, std::string_view bytes, Payload& payload) {
  if (origin >= syscall::kMaxArgs) return Fail(EFAULT);
  if (bytes.empty()) return;
  const uint32_t offset = copy_out_count_ == kMaxCopyOuts ? Argument::kNoOffset : payload.Put(bytes);
  if (offset == Argument::kNoOffset) return Fail(ENOMEM);
  copy_outs_[copy_out_count_++] = wire::CopyOut(origin, offset, static_cast<uint32_t>(bytes.size()));
}

void Effects::Change(PendingChange change) {
  if (change_count_ == changes_.size()) return Fail(ENOSPC);
  changes_[change_count_++] = std::move(change);
}

void Effects::PutCopyOuts(bool succeeded, uint64_t* words) const {
  if (!succeeded && !copies_out_always_) return;
  const uint64_t may_fail = copies_out_always_ ? wire::kCopyOutMayFail : 0;
  std::transform(copy_outs_.begin(), copy_outs_.begin() + copy_out_count_, words,
                 [may_fail](uint64_t word) { return word | may_fail; });
}

void Effects::Clear() {
  change_count_ = copy_out_count_ = 0;
  copies_out_always_ = false;
  failure_ = 0;
}

}  // namespace guise::server
