// A session without a shim, for tests: calls go through epoch, conversation and store as in the server, and the calling
// thread plays the guest: it copies arguments, does Runs and Tails natively and applies what is copied out.
//
//   NativeGuest guest;
//   ASSERT_TRUE(guest.Wear(registry, {"fakeroot"}).ok());
//   EXPECT_EQ(guest.Call(Nr::setuid, 5), SysResult::Ok());
//
// What the shim would answer alone is answered by the server's own way of it, except that placements can be asked for.
// Thread safety: none.
#ifndef GUISE_SERVER_STACK_NATIVE_GUEST_H_
#define GUISE_SERVER_STACK_NATIVE_GUEST_H_

#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "personalities/api/personality.h"
#include "personalities/api/result.h"
#include "proto/syscall/table.h"
#include "proto/wire/layout.h"
#include "server/stack/conversation.h"
#include "server/stack/epoch.h"
#include "server/stack/session_parts.h"
#include "server/store/store.h"

namespace guise::server {

// Process records as a test says.
class RecordedProcesses final : public Processes {
 public:
  std::optional<ProcessFacts> Facts(uint32_t process) override;
  void ForEachChild(uint32_t process, uint32_t generation,
                    const std::function<void(uint32_t, const ProcessFacts&)>& visit) override;

  std::map<uint32_t, ProcessFacts> records;
};

class NativeGuest {
 public:
  // `owner`: of the session. `reply_size`: of the reply memory.
  explicit NativeGuest(api::Owner owner = {1000, 1000}, uint64_t reply_size = wire::kReplySizeDefault);
  ~NativeGuest();
  NativeGuest(const NativeGuest&) = delete;
  NativeGuest& operator=(const NativeGuest&) = delete;

  // The next epoch.
  absl::Status Wear(const api::Registry& registry, const std::vector<std::string>& layers,
                    const std::vector<PlacementOverride>& overrides = {});

  // A call of process `process()`.
  template <typename... Args>
  api::SysResult Call(syscall::Nr nr, Args... args) {
    return DoCall(static_cast<uint32_t>(nr), {Word(args)...});
  }
  // Says a Run's result, instead of doing it natively.
  using Host = std::function<api::SysResult(uint32_t nr, const std::array<uint64_t, 6>& args)>;
  void set_host(Host host) { host_ = std::move(host); }
  static api::SysResult DoNatively(uint32_t nr, const std::array<uint64_t, 6>& args);

  // Which process record calls are made by; 0 at first, with generation 1.
  void Become(uint32_t process) { process_ = process; }
  RecordedProcesses& processes() { return processes_; }

  const Epoch& epoch() const { return *epoch_; }
  Store& store() { return *store_; }
  SessionParts& parts() { return parts_; }
  Conversation& conversation() { return conversation_; }
  absl::Span<char> reply() const { return reply_; }
  const OverlayPlace& overlays() const { return overlays_; }
  uint32_t republished() const { return republished_; }
  uint32_t runs() const { return runs_; }  // Runs and Tails so far
  // The answers of the last call.
  const std::vector<Answer>& answers() const { return answers_; }

 private:
  template <typename T>
  static uint64_t Word(T value) {
    if constexpr (std::is_null_pointer_v<T>) {
      return 0;
    } else if constexpr (std::is_pointer_v<T>) {
      return reinterpret_cast<uint64_t>(value);
    } else {
      return static_cast<uint64_t>(static_cast<int64_t>(value));
    }
  }
  api::SysResult DoCall(uint32_t nr, std::array<uint64_t, 6> args);
  void CopyArguments(CallCopy& call);
  api::SysResult Obey(const Answer& answer);
  api::SysResult TakeReturn(const CallCopy& call, const Answer& answer);

  const api::Owner owner_;
  absl::Span<char> reply_;
  OverlayPlace overlays_;
  std::unique_ptr<Store> store_;
  RecordedProcesses processes_;
  SessionParts parts_;
  Conversation conversation_;
  std::shared_ptr<const Epoch> epoch_;
  uint32_t epochs_ = 0;
  uint32_t process_ = 0;
  uint64_t sequence_ = 0;
  uint32_t republished_ = 0;
  uint32_t runs_ = 0;
  Host host_;
  std::vector<Answer> answers_;
  std::array<std::string, 6> copies_;
  alignas(16) std::array<char, wire::kPayloadSize> inbound_ = {};
  alignas(16) std::array<char, wire::kPayloadSize> outbound_ = {};
  std::array<char, wire::kPayloadSize - wire::kRunAreaOffset> run_area_ = {};
};

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_NATIVE_GUEST_H_
