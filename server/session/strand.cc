#include "server/session/strand.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include "absl/strings/str_join.h"
#include "proto/wire/records.h"
#include "proto/wire/slot.h"
#include "server/channel/arguments.h"
#include "server/session/desk.h"

namespace guise::server {
namespace {

// Rounds for one Sweep(): then other sessions have their turn.
constexpr int kRounds = 16;
// The record of a caller that has none.
constexpr uint32_t kNoRecord = 0xffffffff;

Answer Failure(int error) {
  Answer answer;
  answer.verb = wire::Verb::kReturn;
  answer.args[0] = static_cast<uint64_t>(int64_t{-error});
  return answer;
}

}  // namespace

Strand::Strand(std::shared_ptr<SessionMemories> memories, Options options)
    : memories_(std::move(memories)),
      options_(std::move(options)),
      request_(memories_->request.data()),
      reply_(memories_->reply.data()),
      posts_seen_(wire::kGroups),
      answers_(wire::kSlots),
      reclaimed_slots_(wire::kSlots),
      reclaimed_threads_(wire::kThreads),
      reclaimed_processes_(wire::kProcesses),
      met_(wire::kProcesses),
      desks_(wire::kSlots) {}

Strand::~Strand() = default;

absl::StatusOr<std::shared_ptr<Strand>> Strand::Create(std::shared_ptr<SessionMemories> memories,
                                                       std::shared_ptr<const Epoch> first, Options options) {
  std::shared_ptr<Strand> strand(new Strand(std::move(memories), std::move(options)));
  Strand* const raw = strand.get();
  Store::Options store;
  store.session = raw->options_.session;
  store.owner_uid = raw->options_.owner_uid;
  store.owner_gid = raw->options_.owner_gid;
  store.size = raw->options_.store_size;
  store.reply = {raw->memories_->reply.data(), raw->memories_->reply.size()};
  // Called by commits, under the strand, and by Store::Create below, before anybody else knows the strand.
  store.publish_overlays = [raw](const OverlayPlace& place)
                               ABSL_NO_THREAD_SAFETY_ANALYSIS { raw->reply_.Publish(place); };
  absl::StatusOr<std::unique_ptr<Store>> made = Store::Create(std::move(store));
  if (!made.ok()) return made.status();
  raw->store_ = *std::move(made);
  {
    absl::MutexLock lock(&raw->mutex_);
    raw->parts_.store = raw->store_.get();
    raw->parts_.processes = raw;
    raw->parts_.republish = [raw]() ABSL_NO_THREAD_SAFETY_ANALYSIS { raw->PublishTables(); };
  }
  raw->Publish(std::move(first));
  return strand;
}

const wire::Cell<uint32_t>& Strand::Rung(uint32_t bell) { return request_.Root().bells[bell].rung; }

wire::Cell<uint32_t>& Strand::Parked(uint32_t bell) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return reply_.Parked(bell);  // an address: each bell has one worker, which alone writes the word
}

// No work is lost: who finds a holder has raised `asked_` after its guest's post, and the holder sweeps again before it
// lets go, or says that it wants to be called again.
bool Strand::Sweep() {
  if (asked_.fetch_add(1) != 0) return false;
  bool found = false;
  for (int round = 0; round < kRounds; ++round) {
    uint32_t asked = asked_.load();
    found |= SweepOnce();
    if (asked_.compare_exchange_strong(asked, 0)) return found;
  }
  asked_.store(0);
  return true;
}

bool Strand::SweepOnce() {
  absl::MutexLock lock(&mutex_);
  if (closed_) return false;
  bool found = false;
  const uint32_t groups = Groups();
  for (uint32_t group = 0; group < groups; ++group) {
    const uint64_t posts = request_.Group(group).header.posts.Acquire();
    uint32_t posted = wire::PostedSince(posts, posts_seen_[group]);
    posts_seen_[group] = posts;
    for (; posted != 0; posted &= posted - 1) {
      found = true;
      Look(group * wire::kSlotsPerGroup + static_cast<uint32_t>(std::countr_zero(posted)));
    }
  }
  return found;
}

void Strand::Look(uint32_t slot) {
  const wire::RequestSlot& line = request_.Slot(slot);
  // In this order: the state and the sequence are this owner's or a later one's.
  const uint64_t owner = line.run.owner.Acquire();
  if (!HoldsSlot(slot, owner)) return;
  const uint32_t state = line.run.state.Acquire();
  if (wire::StateOf(state, owner) == wire::SlotState::kAbandoned) {
    ReclaimSlot(slot, owner);
    reply_.RaiseReclaims();
    return;
  }
  const uint64_t sequence = line.call.sequence.Acquire();
  const uint64_t done = line.run.done.Acquire();
  // Freed and taken by the next meanwhile, whose call this may be: its post is seen after this sweep's.
  if (line.run.owner.Acquire() != owner) return;
  switch (wire::TurnOf(sequence, done, answers_[slot])) {
    case wire::Turn::kNothing:
      return;
    case wire::Turn::kCall:
      BeginCall(slot, owner, sequence);
      return;
    case wire::Turn::kStep:
      StepOn(slot);
      return;
  }
}

void Strand::BeginCall(uint32_t slot, uint64_t owner, uint64_t sequence) {
  if (desks_[slot] == nullptr) desks_[slot] = std::make_unique<Desk>(slot, parts_);
  Desk& desk = *desks_[slot];
  // A sound guest waits for the last word; what it does instead is its own loss.
  if (desk.conversation.running()) desk.conversation.Cancel();
  desk.sequence = sequence;
  desk.step = 0;

  const wire::RequestSlot& line = request_.Slot(slot);
  CallCopy call;
  call.slot = slot;
  call.sequence = sequence;
  call.nr = line.call.nr.Relaxed();
  call.epoch = line.call.epoch.Relaxed();
  for (int i = 0; i < 6; ++i) call.args[i] = line.call.args[i].Relaxed();
  uint16_t offsets[6];
  for (int i = 0; i < 6; ++i) offsets[i] = line.run.copies[i].Relaxed();
  Identify(owner, line.run, call);
  if (call.nr >= wire::kTableNumbers) return Send(slot, desk, Failure(ENOSYS));
  if (!CopyArguments(call.nr, call.args, offsets, request_.Inbound(slot), absl::MakeSpan(desk.copies), call.copies)) {
    return Send(slot, desk, Failure(EINVAL));
  }
  const Answer answer = desk.conversation.Begin(Serving(call.epoch), call, reply_.Outbound(slot));
  Send(slot, desk, answer);
}

void Strand::StepOn(uint32_t slot) {
  Desk* const desk = desks_[slot].get();
  if (desk == nullptr || !desk->conversation.running()) return;  // a lie
  const uint64_t result = request_.Slot(slot).run.result.Relaxed();
  constexpr size_t kRunArea = wire::kPayloadSize - wire::kRunAreaOffset;
  const size_t used = std::min(desk->conversation.run_area_used(), kRunArea);
  if (used != 0) {
    if (desk->run_area == nullptr) desk->run_area = std::make_unique<char[]>(kRunArea);
    CopyOnce(desk->run_area.get(), request_.Inbound(slot) + wire::kRunAreaOffset, used);
  }
  const Answer answer = desk->conversation.Step(result, {desk->run_area.get(), used});
  Send(slot, *desk, answer);
}

void Strand::Send(uint32_t slot, Desk& desk, const Answer& answer) {
  const uint32_t step = ++desk.step;
  const Answer* sent = &answer;
  Answer failure;
  // Real steps stay below kMaxStep, and the one after a Run must be one.
  if (answer.verb == wire::Verb::kNone || (answer.verb == wire::Verb::kRun && step + 1 >= wire::kMaxStep)) {
    desk.conversation.Cancel();
    failure = Failure(ELOOP);
    sent = &failure;
  }
  answers_[slot] = wire::Key(desk.sequence, step);
  reply_.Answer(slot, answers_[slot], sent->verb, wire::PackNr(sent->nr, sent->flags), sent->args);
}

void Strand::Identify(uint64_t owner, const wire::RunLine& run, CallCopy& call) {
  call.thread = kNoRecord;
  call.process = kNoRecord;
  const uint32_t thread = wire::HolderOf(owner);
  // A thread without a record holds its slot in the name of record 0, and says so in `thread`.
  if (thread >= wire::kThreads || run.thread.Relaxed() != thread) return;
  const uint64_t thread_owner = request_.Thread(thread).owner.Acquire();
  if (!HoldsThread(thread, thread_owner)) return;
  call.thread = thread;
  const uint32_t process = wire::HolderOf(thread_owner);
  if (process >= wire::kProcesses) return;
  const uint64_t process_owner = request_.Process(process).owner.Acquire();
  if (!HoldsProcess(process, process_owner)) return;
  call.process = process;
  call.process_generation = wire::GenerationOf(process_owner);
  call.pid = static_cast<pid_t>(wire::HolderOf(process_owner));
  if (met_[process] == process_owner) return;
  met_[process] = process_owner;
  if (options_.meet) options_.meet(Describe(process, process_owner));
}

std::shared_ptr<const Epoch> Strand::Serving(uint32_t epoch) const {
  // An epoch that was retired was in no sound guest's hands any more.
  const auto it = epochs_.find(epoch);
  return it == epochs_.end() ? current_ : it->second;
}

std::optional<ProcessFacts> Strand::Facts(uint32_t process) {
  if (process >= wire::kProcesses) return std::nullopt;
  const wire::ProcessRecord& record = request_.Process(process);
  const uint32_t generation = wire::GenerationOf(record.owner.Acquire());
  if (generation == 0) return std::nullopt;
  const ProcessFacts facts = {.generation = generation,
                              .parent = record.parent.Relaxed(),
                              .parent_generation = record.parent_generation.Relaxed(),
                              .execs = record.execs.Relaxed()};
  wire::AcquireFence();
  // Taken by the next while it was read.
  if (wire::GenerationOf(record.owner.Relaxed()) != generation) return std::nullopt;
  return facts;
}

void Strand::ForEachChild(uint32_t process, uint32_t generation,
                          const std::function<void(uint32_t, const ProcessFacts&)>& visit)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const uint32_t records = Groups() * wire::kProcessesPerGroup;
  for (uint32_t child = 0; child < records; ++child) {
    const std::optional<ProcessFacts> facts = Facts(child);
    if (facts.has_value() && facts->parent == process + 1 && facts->parent_generation == generation) {
      visit(child, *facts);
    }
  }
}

void Strand::Publish(std::shared_ptr<const Epoch> epoch) {
  absl::MutexLock lock(&mutex_);
  epochs_[epoch->number()] = epoch;
  current_ = std::move(epoch);
  PublishTables();
  store_->NoteEpoch(current_->number(), absl::StrJoin(current_->layers(), ","));
  Retire();
}

void Strand::PublishTables() { reply_.Publish(current_->tables(store_->past()), options_.bells); }

std::shared_ptr<const Epoch> Strand::Current() const {
  absl::MutexLock lock(&mutex_);
  return current_;
}

uint32_t Strand::OldestInUse() const {
  uint32_t oldest = current_->number();
  const uint32_t groups = Groups();
  for (uint32_t thread = 0; thread < groups * wire::kThreadsPerGroup; ++thread) {
    const wire::ThreadRecord& record = request_.Thread(thread);
    if (!HoldsThread(thread, record.owner.Acquire())) continue;
    const uint32_t epoch = record.in_gate.Acquire();
    if (epoch != 0) oldest = std::min(oldest, epoch);
  }
  for (uint32_t slot = 0; slot < groups * wire::kSlotsPerGroup; ++slot) {
    const wire::RequestSlot& line = request_.Slot(slot);
    if (!HoldsSlot(slot, line.run.owner.Acquire())) continue;
    const uint64_t sequence = line.call.sequence.Acquire();
    const uint64_t answer = answers_[slot];
    bool in_use = wire::TurnOf(sequence, line.run.done.Acquire(), answer) != wire::Turn::kNothing;
    // A Run that the guest has not begun will not block it out of our sight; one that it has begun may, and is
    // excepted.
    if (desks_[slot] != nullptr && desks_[slot]->conversation.running()) in_use |= line.run.begun.Acquire() != answer;
    if (in_use) oldest = std::min(oldest, line.call.epoch.Relaxed());
  }
  return oldest;
}

bool Strand::Drained(uint32_t epoch) const {
  absl::MutexLock lock(&mutex_);
  return OldestInUse() >= epoch;
}

void Strand::Retire() {
  const uint32_t oldest = OldestInUse();
  epochs_.erase(epochs_.begin(), epochs_.lower_bound(std::min(oldest, current_->number())));
}

CallTotals Strand::Totals() const {
  absl::MutexLock lock(&mutex_);
  CallTotals totals = tally_;
  const wire::Totals& gone = request_.Root().totals;
  const uint32_t threads = Groups() * wire::kThreadsPerGroup;
  for (uint32_t placement = 0; placement < wire::kPlacements; ++placement) {
    for (uint32_t parity = 0; parity < wire::kParities; ++parity) {
      totals.calls[placement][parity] += gone.calls[placement][parity].Relaxed();
      for (uint32_t thread = 0; thread < threads; ++thread) {
        const wire::ThreadRecord& record = request_.Thread(thread);
        if (!HoldsThread(thread, record.owner.Acquire())) continue;
        totals.calls[placement][parity] += record.calls[placement][parity].Relaxed();
      }
    }
  }
  return totals;
}

uint64_t Strand::HeapFrames() const {
  absl::MutexLock lock(&mutex_);
  return parts_.heap_frames;
}

SiteCounts Strand::Sites() const {
  const wire::SiteTotals& totals = request_.Root().sites;
  SiteCounts counts = {.caught = totals.caught.Relaxed(),
                       .near = totals.near.Relaxed(),
                       .far = totals.far.Relaxed(),
                       .stub_bytes = totals.stub_bytes.Relaxed(),
                       .known = totals.known.Relaxed()};
  for (uint32_t i = 0; i < wire::kSiteKept; ++i) counts.kept[i] = totals.kept[i].Relaxed();
  return counts;
}

uint64_t Strand::Panics() const { return request_.Root().totals.panics.Relaxed(); }

void Strand::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  desks_.clear();
  desks_.resize(wire::kSlots);
}

bool Strand::HoldsSlot(uint32_t slot, uint64_t owner) const { return wire::IsHeld(owner, reclaimed_slots_[slot]); }
bool Strand::HoldsThread(uint32_t thread, uint64_t owner) const {
  return wire::IsHeld(owner, reclaimed_threads_[thread]);
}
bool Strand::HoldsProcess(uint32_t process, uint64_t owner) const {
  return wire::IsHeld(owner, reclaimed_processes_[process]);
}

uint32_t Strand::Groups() const { return groups_ = std::max(groups_, request_.GroupsUsed()); }

}  // namespace guise::server
