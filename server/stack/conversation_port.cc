// What handlers ask of their conversation, and tell it.
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string_view>

#include "personalities/api/port.h"
#include "proto/wire/layout.h"
#include "proto/wire/overlay.h"
#include "server/stack/conversation_impl.h"
#include "server/stack/effects.h"
#include "server/stack/identities.h"
#include "server/store/store.h"

namespace guise::server {

using api::Argument;

std::string_view Conversation::Impl::CopyOf(uint8_t origin) const {
  return origin < syscall::kMaxArgs ? call_.copies[origin] : std::string_view();
}

const api::Identity& Conversation::Impl::Credentials() {
  if (!credentials_.has_value()) {
    credentials_ = FindIdentity(parts_, call_.process, call_.process_generation).value_or(epoch_->start_identity());
  }
  return *credentials_;
}

api::Owner Conversation::Impl::ShownOwner(const api::Inode& inode, api::Owner native) {
  api::Owner shown = epoch_->MapOwner(native);
  const std::optional<wire::OverlayValue> overlay = parts_.store->FindInode(KeyOf(inode));
  if (!overlay.has_value()) return shown;
  if ((overlay->fields & wire::kOverlayUid) != 0) shown.uid = overlay->uid;
  if ((overlay->fields & wire::kOverlayGid) != 0) shown.gid = overlay->gid;
  return shown;
}

std::optional<api::Device> Conversation::Impl::ShownDevice(const api::Inode& inode) {
  const std::optional<wire::OverlayValue> overlay = parts_.store->FindInode(KeyOf(inode));
  if (!overlay.has_value() || (overlay->fields & wire::kOverlayType) == 0) return std::nullopt;
  return api::Device{overlay->type, wire::DevMajor(overlay->rdev), wire::DevMinor(overlay->rdev)};
}

void Conversation::Impl::Commit(const api::SetOwner& change) {
  effects_.Change(FileChange{.key = KeyOf(change.inode), .uid = change.uid, .gid = change.gid, .mode = change.mode});
}

void Conversation::Impl::Commit(const api::SetDevice& change) {
  effects_.Change(FileChange{.key = KeyOf(change.inode),
                             .uid = std::nullopt,
                             .gid = std::nullopt,
                             .type = change.device.type,
                             .rdev = wire::EncodeDev(change.device.major, change.device.minor)});
}

void Conversation::Impl::Commit(const api::SetAttribute& change) {
  AttributeChange kept = {KeyOf(change.inode), change.name, std::nullopt};
  if (change.value.has_value()) {
    // What the handler has read may lie in its frame.
    const uint32_t offset = payload_.Put(*change.value);
    if (offset == Argument::kNoOffset) return effects_.Fail(ENOSPC);
    kept.value = payload_.At(offset, change.value->size());
  }
  effects_.Change(kept);
}

api::KeptAttributes Conversation::Impl::AttributesOf(const api::Inode& inode) {
  return parts_.store->FindAttributes(KeyOf(inode));
}

void Conversation::Impl::Commit(const api::SetIdentity& change) {
  if (call_.process >= wire::kProcesses) return effects_.Fail(ENOSPC);
  const std::optional<ProcessFacts> facts = parts_.processes->Facts(call_.process);
  effects_.Change(
      IdentityChange{call_.process, call_.process_generation, facts.has_value() ? facts->execs : 0, change.identity});
}

}  // namespace guise::server
