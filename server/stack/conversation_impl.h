// What a conversation has in it.
#ifndef GUISE_SERVER_STACK_CONVERSATION_IMPL_H_
#define GUISE_SERVER_STACK_CONVERSATION_IMPL_H_

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/types/span.h"
#include "personalities/api/call.h"
#include "personalities/api/port.h"
#include "personalities/api/task.h"
#include "proto/wire/layout.h"
#include "proto/wire/store.h"
#include "server/stack/conversation.h"
#include "server/stack/effects.h"
#include "server/stack/epoch.h"
#include "server/stack/payload.h"
#include "server/stack/session_parts.h"

namespace guise::server {

// The loop, and the port of the handlers that it resumes.
//
// Invariant: between turns of the loop exactly one of these is so: a coroutine is to be resumed, a native call is
// wanted (host_), the root has its result (finished_).
class Conversation::Impl final : public api::Port {
 public:
  Impl(uint32_t slot, SessionParts& parts) : slot_(slot), parts_(parts) {}
  ~Impl() override { Cancel(); }

  Answer Begin(std::shared_ptr<const Epoch> epoch, const CallCopy& call, absl::Span<char> outbound);
  Answer Step(uint64_t result, absl::Span<const char> run_area);
  void Cancel();
  size_t run_area_used() const { return payload_.run_area_used(); }
  bool running() const { return running_; }

  // api::Port
  void Run(const api::Call& native, std::coroutine_handle<> waiter) override { host_.emplace(Wanted{native, waiter}); }
  void Below(const api::Call& call, uint32_t level, std::coroutine_handle<> waiter) override {
    Enter(call, level, waiter);
  }
  std::string_view CopyOf(uint8_t origin) const override;
  uint32_t PutOutbound(std::string_view bytes) override { return payload_.Put(bytes); }
  uint32_t ReserveInbound(size_t bytes) override { return payload_.Reserve(bytes); }
  void ReadInbound(uint32_t offset, void* to, size_t bytes) const override { payload_.Read(offset, to, bytes); }
  void CopyOut(uint8_t origin, std::string_view bytes) override { effects_.CopyOut(origin, bytes, payload_); }
  void CopyOutAlways() override { effects_.CopyOutAlways(); }
  const api::Identity& Credentials() override;
  api::Owner ShownOwner(const api::Inode& inode, api::Owner native) override;
  std::optional<api::Device> ShownDevice(const api::Inode& inode) override;
  bool GroupsAreInherited() override { return parts_.store->past().groups == KeptGroups::kInherited; }
  api::Loans& loans() override { return parts_.loans; }
  uint32_t RunsLeft() const override { return wire::kLoggedSteps - steps_; }
  void Commit(const api::SetOwner& change) override;
  void Commit(const api::SetDevice& change) override;
  void Commit(const api::SetAttribute& change) override;
  void Commit(const api::SetIdentity& change) override;
  api::KeptAttributes AttributesOf(const api::Inode& inode) override;

 private:
  // A handler at work, and who waits for it: a handler above, or (null) the guest.
  struct Activation {
    api::SysTask::Handle handle;
    std::coroutine_handle<> waiter;
  };
  struct Wanted {
    api::Call native;
    std::coroutine_handle<> waiter;
  };

  Answer Drive();
  void Settle();
  void Enter(api::Call call, uint32_t level, std::coroutine_handle<> waiter);
  void Start(const Epoch::Row& row, const api::Call& call, std::coroutine_handle<> waiter);
  void Deliver(api::SysResult result, std::coroutine_handle<> waiter);
  std::optional<Answer> Host();
  Answer Finish();
  int CommitChanges(uint64_t result);
  void Close();

  const uint32_t slot_;
  SessionParts& parts_;

  std::shared_ptr<const Epoch> epoch_;
  CallCopy call_;
  Payload payload_;
  Effects effects_;
  uint32_t steps_ = 0;
  uint64_t heap_frames_seen_ = 0;

  // Levels are entered downwards, so each has at most one handler at work; its call lies here, where it stays.
  std::array<Activation, Epoch::kLevels * Epoch::kMaxLayers> activations_;
  std::array<std::optional<api::Call>, Epoch::kLevels * Epoch::kMaxLayers> calls_;
  size_t depth_ = 0;

  std::optional<Wanted> host_;
  std::coroutine_handle<> run_waiter_;
  bool running_ = false;
  bool finished_ = false;

  std::optional<api::Identity> credentials_;  // as of the last await
};

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_CONVERSATION_IMPL_H_
