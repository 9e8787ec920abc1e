#include "server/stack/native_guest.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "proto/syscall/extent.h"
#include "proto/wire/slot.h"

namespace guise::server {

namespace {

constexpr uint32_t kSlot = 3;

absl::Span<char> MapReply(uint64_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) abort();
  return {static_cast<char*>(memory), size};
}

}  // namespace

std::optional<ProcessFacts> RecordedProcesses::Facts(uint32_t process) {
  const auto found = records.find(process);
  if (found == records.end()) return std::nullopt;
  return found->second;
}

void RecordedProcesses::ForEachChild(uint32_t process, uint32_t generation,
                                     const std::function<void(uint32_t, const ProcessFacts&)>& visit) {
  for (const auto& [index, facts] : records) {
    if (facts.parent == process + 1 && facts.parent_generation == generation) visit(index, facts);
  }
}

NativeGuest::NativeGuest(api::Owner owner, uint64_t reply_size)
    : owner_(owner), reply_(MapReply(reply_size)), conversation_(kSlot, parts_) {
  Store::Options options;
  options.owner_uid = owner.uid;
  options.owner_gid = owner.gid;
  options.reply = reply_;
  options.publish_overlays = [this](const OverlayPlace& place) { overlays_ = place; };
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Create(std::move(options));
  if (!store.ok()) abort();
  store_ = *std::move(store);
  processes_.records[0] = {.generation = 1};
  parts_.store = store_.get();
  parts_.processes = &processes_;
  parts_.republish = [this] { ++republished_; };
}

NativeGuest::~NativeGuest() {
  conversation_.Cancel();
  munmap(reply_.data(), reply_.size());
}

absl::Status NativeGuest::Wear(const api::Registry& registry, const std::vector<std::string>& layers,
                               const std::vector<PlacementOverride>& overrides) {
  EpochSpec spec;
  spec.number = epochs_ + 1;
  spec.layers = layers;
  spec.overrides = overrides;
  spec.owner_uid = owner_.uid;
  spec.owner_gid = owner_.gid;
  absl::StatusOr<std::shared_ptr<const Epoch>> epoch = Epoch::Compile(registry, spec);
  if (!epoch.ok()) return epoch.status();
  ++epochs_;
  epoch_ = *std::move(epoch);
  return absl::OkStatus();
}

api::SysResult NativeGuest::DoNatively(uint32_t nr, const std::array<uint64_t, 6>& args) {
  const long result = ::syscall(static_cast<long>(nr), args[0], args[1], args[2], args[3], args[4], args[5]);
  return result == -1 ? api::SysResult::Error(errno) : api::SysResult::Ok(static_cast<uint64_t>(result));
}

// Strings, and what is read as far as the registers tell how long it is. Null is not copied.
void NativeGuest::CopyArguments(CallCopy& call) {
  const syscall::Row* row = syscall::Find(call.nr);
  if (row == nullptr) return;
  for (size_t i = 0; i < row->Arity(); ++i) {
    const syscall::Arg& arg = row->args[i];
    const char* from = reinterpret_cast<const char*>(call.args[i]);
    if (!arg.is_pointer() || from == nullptr) continue;
    const syscall::Extent extent = syscall::ExtentOf(*row, i, call.args);
    switch (arg.kind) {
      case syscall::ArgKind::Path:
      case syscall::ArgKind::Str:
        copies_[i] = from;
        break;
      case syscall::ArgKind::StructIn:
      case syscall::ArgKind::StructInOut:
      case syscall::ArgKind::ArrayIn:
        if (extent.bytes > wire::kRunAreaOffset) continue;
        copies_[i].assign(from, extent.bytes);
        break;
      default:
        continue;
    }
    call.copies[i] = copies_[i];
  }
}

api::SysResult NativeGuest::Obey(const Answer& answer) {
  std::array<uint64_t, 6> args;
  for (uint32_t i = 0; i < 6; ++i) {
    args[i] = answer.args[i];
    const auto flag = static_cast<wire::ArgFlag>(answer.flags >> (2 * i) & 3);
    if (flag == wire::ArgFlag::kOutbound) args[i] = reinterpret_cast<uint64_t>(outbound_.data() + answer.args[i]);
    if (flag == wire::ArgFlag::kInOut) {
      char* const room = inbound_.data() + wire::InOutInbound(answer.args[i]);
      std::memcpy(room, outbound_.data() + wire::InOutOutbound(answer.args[i]), wire::InOutLength(answer.args[i]));
      args[i] = reinterpret_cast<uint64_t>(room);
    }
    if (flag == wire::ArgFlag::kInbound) args[i] = reinterpret_cast<uint64_t>(inbound_.data() + answer.args[i]);
  }
  ++runs_;
  return host_ ? host_(answer.nr, args) : DoNatively(answer.nr, args);
}

api::SysResult NativeGuest::TakeReturn(const CallCopy& call, const Answer& answer) {
  for (int i = 1; i < 6; ++i) {
    const uint64_t word = answer.args[i];
    if (!wire::IsCopyOut(word)) continue;
    auto* to = reinterpret_cast<char*>(call.args[wire::CopyOutArg(word)]);
    if (to == nullptr && (word & wire::kCopyOutMayFail) != 0) continue;
    if (to == nullptr) return api::SysResult::Error(EFAULT);
    std::memcpy(to, outbound_.data() + wire::CopyOutOffset(word), wire::CopyOutLength(word));
  }
  return api::SysResult::FromRaw(answer.args[0]);
}

api::SysResult NativeGuest::DoCall(uint32_t nr, std::array<uint64_t, 6> args) {
  CallCopy call;
  call.slot = kSlot;
  call.sequence = ++sequence_;
  call.nr = nr;
  call.epoch = epoch_->number();
  std::copy(args.begin(), args.end(), call.args);
  call.process = process_;
  call.process_generation = processes_.records[process_].generation;
  CopyArguments(call);
  answers_.clear();
  answers_.reserve(wire::kLoggedSteps + 1);
  Answer answer = conversation_.Begin(epoch_, call, absl::MakeSpan(outbound_));
  answers_.push_back(answer);
  while (answer.verb == wire::Verb::kRun) {
    const api::SysResult result = Obey(answer);
    std::copy_n(inbound_.begin() + wire::kRunAreaOffset, conversation_.run_area_used(), run_area_.begin());
    answer = conversation_.Step(result.raw(), absl::MakeConstSpan(run_area_.data(), conversation_.run_area_used()));
    answers_.push_back(answer);
  }
  return answer.verb == wire::Verb::kTail ? Obey(answer) : TakeReturn(call, answer);
}

}  // namespace guise::server
