#include "server/stack/conversation.h"

#include <cerrno>
#include <utility>

#include "personalities/api/call.h"
#include "personalities/api/task.h"
#include "proto/syscall/table.h"
#include "proto/wire/layout.h"
#include "proto/wire/store.h"
#include "server/stack/conversation_impl.h"
#include "server/stack/effects.h"
#include "server/stack/identities.h"
#include "server/stack/overlay.h"
#include "server/store/store.h"

namespace guise::server {

using api::Argument;
using api::Call;
using api::SysResult;

namespace {

wire::ArgFlag FlagOf(Argument::Space space) {
  switch (space) {
    case Argument::Space::kOutbound:
      return wire::ArgFlag::kOutbound;
    case Argument::Space::kInbound:
      return wire::ArgFlag::kInbound;
    case Argument::Space::kInOut:
      return wire::ArgFlag::kInOut;
    default:
      return wire::ArgFlag::kValue;
  }
}

Call Folded(const Call& call, const api::Folding& folding) {
  Call folded(call.port(), api::Nr{folding.nr});
  for (size_t i = 0; i < folding.count; ++i) {
    const uint8_t from = folding.from[i];
    folded.Set(i, from < api::Folding::kFirstConstant
                      ? call.Pass(from)
                      : Argument(folding.constants[from - api::Folding::kFirstConstant]));
  }
  return folded;
}

}  // namespace

Answer Conversation::Impl::Begin(std::shared_ptr<const Epoch> epoch, const CallCopy& call, absl::Span<char> outbound) {
  epoch_ = std::move(epoch);
  call_ = call;
  payload_ = Payload(outbound);
  Call root(*this, api::Nr{call.nr});
  for (uint8_t i = 0; i < syscall::kMaxArgs; ++i) {
    Argument argument(call.args[i]);
    argument.origin = i;
    root.Set(i, argument);
  }
  Enter(root, 0, nullptr);
  return Drive();
}

Answer Conversation::Impl::Step(uint64_t result, absl::Span<const char> run_area) {
  running_ = false;
  parts_.store->LogStep(slot_, wire::Key(call_.sequence, steps_), result);
  payload_.TakeRunArea(run_area);
  credentials_.reset();
  Deliver(SysResult::FromRaw(result), std::exchange(run_waiter_, nullptr));
  return Drive();
}

Answer Conversation::Impl::Drive() {
  while (true) {
    if (const std::coroutine_handle<> next = TakeNext()) {
      next.resume();
      Settle();
    } else if (host_.has_value()) {
      if (const std::optional<Answer> answer = Host()) return *answer;
    } else if (finished_) {
      return Finish();
    }
  }
}

// Takes the last word of the handler that was resumed, if it was its last.
void Conversation::Impl::Settle() {
  if (depth_ == 0 || !activations_[depth_ - 1].handle.done()) return;
  const Activation done = activations_[--depth_];
  const SysResult result = done.handle.promise().result;
  const std::optional<api::Tail> tail = done.handle.promise().tail;
  done.handle.destroy();
  if (tail.has_value()) {
    Enter(tail->call, tail->level, done.waiter);
  } else {
    Deliver(result, done.waiter);
  }
}

void Conversation::Impl::Enter(Call call, uint32_t level, std::coroutine_handle<> waiter) {
  while (true) {
    const Epoch::Row* row = epoch_->Find(static_cast<uint32_t>(call.nr()), level);
    if (row == nullptr) {
      host_.emplace(Wanted{call, waiter});
      return;
    }
    const api::Claim& claim = row->claim;
    level = row->level + 1;
    switch (claim.verb) {
      case api::ClaimVerb::kConstant:
        if (claim.until_diverged) return Start(*row, call, waiter);
        return Deliver(SysResult::FromRaw(static_cast<uint64_t>(claim.value)), waiter);
      case api::ClaimVerb::kDeny:
        return Deliver(SysResult::Error(static_cast<int>(claim.value)), waiter);
      case api::ClaimVerb::kFold: {
        const api::Folding& folding = claim.folding;
        if (!folding.Fits(call.Pass(folding.differ[0]).value, call.Pass(folding.differ[1]).value)) {
          return Start(*row, call, waiter);
        }
        call = Folded(call, folding);
        break;
      }
      case api::ClaimVerb::kOverlay: {
        // A layer beneath answers without looking at a file, or overlays too: the look-up is the same. Or it says in
        // other words what the overlay does not say.
        const Epoch::Row* const beneath = epoch_->Find(claim.nr, level);
        if (beneath == nullptr || beneath->claim.verb == api::ClaimVerb::kFold) return Start(*row, call, waiter);
        break;
      }
      case api::ClaimVerb::kGuard: {
        const api::Verdict verdict = claim.guard(*row->personality, call);
        if (verdict.error() != 0) return Deliver(SysResult::Error(verdict.error()), waiter);
        call = verdict.call();
        break;
      }
      case api::ClaimVerb::kServe:
      case api::ClaimVerb::kAttempt:
        return Start(*row, call, waiter);
    }
  }
}

void Conversation::Impl::Start(const Epoch::Row& row, const Call& call, std::coroutine_handle<> waiter) {
  // A level's place is free: what is above waits or is gone. See activations_.
  Call& kept = calls_[row.level].emplace(call);
  api::SysTask task = row.claim.verb == api::ClaimVerb::kOverlay
                          ? ServeOverlay(*epoch_, kept)
                          : row.claim.handler(*row.personality, kept, api::Below(row.level + 1));
  activations_[depth_++] = {task.Release(), waiter};
  Continue(activations_[depth_ - 1].handle);
}

void Conversation::Impl::Deliver(SysResult result, std::coroutine_handle<> waiter) {
  result_ = result;
  if (waiter) {
    Continue(waiter);
  } else {
    finished_ = true;
  }
}

// The native call that is wanted: an answer to the guest, or nullopt when it failed here.
std::optional<Answer> Conversation::Impl::Host() {
  const Wanted wanted = *host_;
  host_.reset();
  Answer answer;
  answer.nr = static_cast<uint32_t>(wanted.native.nr());
  for (uint32_t i = 0; i < syscall::kMaxArgs; ++i) {
    const Argument& argument = wanted.native.Pass(i);
    if (argument.space == Argument::Space::kNoRoom) {
      Deliver(SysResult::Error(ENOMEM), wanted.waiter);
      return std::nullopt;
    }
    answer.args[i] = argument.space == Argument::Space::kInOut
                         ? wire::InOut(static_cast<uint32_t>(argument.value), argument.first, argument.length)
                         : argument.value;
    answer.flags |= static_cast<uint32_t>(FlagOf(argument.space)) << (2 * i);
  }
  if (!wanted.waiter && effects_.empty()) {
    answer.verb = wire::Verb::kTail;
    Close();
    return answer;
  }
  // What is the caller's own cannot be done for a handler; a conversation that is longer than its log cannot be
  // resumed.
  const syscall::Row* row = syscall::Find(answer.nr);
  if (row != nullptr && row->Has(syscall::Trait::CallerOnly)) {
    Deliver(SysResult::Error(ENOSYS), wanted.waiter);
    return std::nullopt;
  }
  if (steps_ == wire::kLoggedSteps) {
    Deliver(SysResult::Error(EIO), wanted.waiter);
    return std::nullopt;
  }
  ++steps_;
  answer.verb = wire::Verb::kRun;
  run_waiter_ = wanted.waiter;
  running_ = true;
  return answer;
}

Answer Conversation::Impl::Finish() {
  Answer answer;
  answer.verb = wire::Verb::kReturn;
  SysResult result = result_;
  if (result.ok() && effects_.failure() != 0) result = SysResult::Error(effects_.failure());
  if (result.ok() && !effects_.changes().empty()) {
    const int error = CommitChanges(result.raw());
    if (error != 0) result = SysResult::FromRaw(static_cast<uint64_t>(int64_t{error}));
  }
  answer.args[0] = result.raw();
  effects_.PutCopyOuts(result.ok(), answer.args + 1);
  Close();
  return answer;
}

int Conversation::Impl::CommitChanges(uint64_t result) {
  const Past before = parts_.store->past();
  for (const PendingChange& change : effects_.changes()) {
    if (std::holds_alternative<IdentityChange>(change)) {
      SettleChildren(parts_, Credentials(), call_.process, call_.process_generation);
    }
  }
  const int error = parts_.store->Commit(slot_, call_.sequence, result, effects_.changes());
  // Before the answer: a getuid that the guest makes after it must see the new placement.
  if (before != parts_.store->past() && parts_.republish) parts_.republish();
  return error;
}

// The conversation is over: nothing of it remains but the memory.
void Conversation::Impl::Close() {
  epoch_.reset();
  call_ = {};
  payload_ = Payload();
  effects_.Clear();
  steps_ = 0;
  finished_ = false;
  credentials_.reset();
  parts_.heap_frames += frames().heap_frames() - heap_frames_seen_;
  heap_frames_seen_ = frames().heap_frames();
}

void Conversation::Impl::Cancel() {
  TakeNext();
  host_.reset();
  run_waiter_ = nullptr;
  running_ = false;
  // The lowest first: it was made last. A handler's frame owns those of its parts.
  while (depth_ > 0) activations_[--depth_].handle.destroy();
  Close();
}

// ---

Conversation::Conversation(uint32_t slot, SessionParts& parts) : impl_(std::make_unique<Impl>(slot, parts)) {}
Conversation::~Conversation() = default;

Answer Conversation::Begin(std::shared_ptr<const Epoch> epoch, const CallCopy& call, absl::Span<char> outbound) {
  return impl_->Begin(std::move(epoch), call, outbound);
}

Answer Conversation::Step(uint64_t result, absl::Span<const char> run_area) { return impl_->Step(result, run_area); }

size_t Conversation::run_area_used() const { return impl_->run_area_used(); }

bool Conversation::running() const { return impl_->running(); }

void Conversation::Cancel() { impl_->Cancel(); }

}  // namespace guise::server
