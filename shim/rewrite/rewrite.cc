#include "shim/rewrite/rewrite.h"

#include <linux/membarrier.h>

#include "proto/wire/layout.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/gate/looks.h"
#include "shim/gate/routes.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/rewrite/areas.h"
#include "shim/rewrite/moved.h"
#include "shim/rewrite/text.h"
#include "shim/rewrite/text_writer.h"
#include "shim/thread/stub_table.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::Cell;
using wire::SiteKept;

constexpr uint64_t kPage = 4096;
constexpr size_t kSiteSize = 2;
constexpr size_t kJumpSize = 5;
// What a jump takes of the instruction behind the site.
constexpr size_t kDisplaced = kJumpSize - kSiteSize;
constexpr uint8_t kSyscall[kSiteSize] = {0x0f, 0x05};
constexpr uint8_t kJump = 0xe9;
constexpr uint8_t kShortJump = 0xeb;
constexpr size_t kLongestInstruction = 15;

Cell<uint32_t> g_patching;   // odd: a thread is at it
Cell<uint32_t> g_rewritten;  // 1: some site is, or was

// A count of SiteCalls.
constexpr uint8_t kNever = 0xff;
constexpr uint32_t kMostCalls = 0x7f;

// One patcher at a time.
class Patcher {
 public:
  enum class Patience { kNone, kWaits };

  explicit Patcher(Patience patience) {
    // A child of vfork that was killed in the middle gives nothing back.
    constexpr uint32_t kMostRounds = 1 << 16;
    for (uint32_t round = 0; round < kMostRounds; ++round) {
      before_ = g_patching.Relaxed();
      holds_ = IsIdle(before_) && g_patching.CompareSwap(before_, before_ + 1);
      if (holds_ || patience == Patience::kNone) return;
      // The other thread has a lower priority, perhaps.
      Native(Nr::sched_yield);
    }
  }
  ~Patcher() {
    if (holds_) g_patching.Release(before_ + 2);
  }
  Patcher(const Patcher&) = delete;
  Patcher& operator=(const Patcher&) = delete;
  bool holds() const { return holds_; }

  static bool IsIdle(uint32_t sequence) { return (sequence & 1) == 0; }

 private:
  uint32_t before_;
  bool holds_;
};

bool IsAlone(const ThreadBlock* block) {
  bool alone = true;
  ForOtherBlocks(block, [&](const ThreadBlock*) { alone = false; });
  return alone;
}

// Every thread of the process has executed a serializing instruction since. ABI: membarrier(2).
bool Synchronize() { return !IsError(Native(Nr::membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0)); }
bool CanSynchronize() {
  return !IsError(Native(Nr::membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
}

struct Jump {
  uint8_t bytes[kJumpSize];
};
Jump JumpTo(uint64_t site, uint64_t code) {
  Jump jump = {{kJump, 0, 0, 0, 0}};
  const auto distance = static_cast<uint32_t>(code - (site + kJumpSize));
  // A store, not a call: this is on the way of calls that are made here.
  __builtin_memcpy(jump.bytes + 1, &distance, sizeof(distance));
  return jump;
}

uint64_t SiteOf(const StubHead* head) { return head->after - kSiteSize; }
const uint8_t* BodyOf(const StubHead* head) { return reinterpret_cast<const uint8_t*>(CodeOf(head) + head->body_at); }

// Whether the text holds the stub's jump, from the given byte of the site on: the first is written last.
bool HoldsJump(const StubHead* head, size_t from) {
  uint8_t text[kJumpSize];
  if (head->jump_at != 0) {
    return ReadGuest(text, SiteOf(head), kSiteSize) && text[0] == kShortJump && text[1] == head->jump_at - kSiteSize;
  }
  if (!ReadGuest(text, SiteOf(head), sizeof(text))) return false;
  const Jump jump = JumpTo(SiteOf(head), CodeOf(head));
  return memcmp(text + from, jump.bytes + from, kJumpSize - from) == 0;
}

// The stub that the site in front of `after` has, whether or not its text leads there; or null.
const StubHead* StubOf(uint64_t after) {
  if (g_rewritten.Acquire() == 0) return nullptr;
  const uint64_t target = TargetOf(after);
  return target == 0 || target == after ? nullptr : HeadAt(target);
}

// Whether the place behind the call holds the jump's bytes, also while they are being put there or taken away. The
// first of them is none that an instruction which moves begins with.
bool IsDisplaced(const StubHead* head) {
  uint8_t text[kJumpSize];
  if (head->jump_at != 0) return false;
  if (!ReadGuest(text, SiteOf(head), sizeof(text)) || text[1] != kSyscall[1]) return false;
  const Jump jump = JumpTo(SiteOf(head), CodeOf(head));
  if (text[kSiteSize] != jump.bytes[kSiteSize]) return false;
  const uint8_t* const body = BodyOf(head);
  for (size_t i = kSiteSize + 1; i < kJumpSize; ++i) {
    if (text[i] != jump.bytes[i] && text[i] != body[i - kSiteSize]) return false;
  }
  return true;
}

// The stub that a thread which is to go on at `after` goes on in, or null.
const StubHead* DisplacedAt(uint64_t after) {
  const StubHead* const head = StubOf(after);
  return head != nullptr && IsDisplaced(head) ? head : nullptr;
}

// Puts the jump there: what is behind the call first, byte by byte of what a thread may meet, the first byte last.
bool WriteJump(TextWriter& writer, const StubHead* head, bool alone) {
  const uint64_t site = SiteOf(head);
  if (head->jump_at != 0) {
    const Jump apart = JumpTo(site + head->jump_at, CodeOf(head));
    const uint8_t there[kSiteSize] = {kShortJump, static_cast<uint8_t>(head->jump_at - kSiteSize)};
    return writer.Write(site + head->jump_at, apart.bytes, kJumpSize) && writer.Write(site, there, sizeof(there));
  }
  const Jump jump = JumpTo(site, CodeOf(head));
  if (alone) return writer.Write(site, jump.bytes, kJumpSize);
  if (!writer.WriteByte(site + 2, jump.bytes[2]) || !Synchronize()) return false;
  if (!writer.Write(site + 3, jump.bytes + 3, kJumpSize - 3) || !Synchronize()) return false;
  return writer.WriteByte(site, jump.bytes[0]);
}

// And takes it away, the other way round.
void RestoreText(TextWriter& writer, const StubHead* head, bool alone) {
  const uint64_t site = SiteOf(head);
  const uint8_t* const body = BodyOf(head);
  if (head->jump_at != 0) {
    // Not one write, but nobody executes what is about to be writable, or takes the risk.
    if (!writer.Write(site, kSyscall, kSiteSize)) return;
    // Another thread may stand between the two jumps; this one, if a signal interrupted it there, goes on at the site.
    if (alone) writer.Write(site + head->jump_at, head->under_jump, kJumpSize);
    return;
  }
  if (alone) {
    uint8_t bytes[kJumpSize];
    memcpy(bytes, kSyscall, kSiteSize);
    memcpy(bytes + kSiteSize, body, kDisplaced);
    writer.Write(site, bytes, sizeof(bytes));
    return;
  }
  if (!writer.WriteByte(site, kSyscall[0]) || !Synchronize()) return;
  if (!writer.Write(site + 3, body + 1, kDisplaced - 1) || !Synchronize()) return;
  writer.WriteByte(site + 2, body[0]);
}

// Whether another thread may be on its way back to `after`, by a target that it has read before, and die of what lies
// there when a jump is being written: the fault is its way on, and it blocks it. (Go's handlers block all signals, and
// wake.)
bool SomeoneComesBackBlind(const ThreadBlock* block, uint64_t after) {
  bool found = false;
  ForOtherBlocks(block, [&](const ThreadBlock* other) {
    found |= other->blocked_faults != 0 && other->caught_behind.Acquire() == after;
  });
  return found;
}

enum class Patched { kDone, kLater, kNever };
struct Verdict {
  Patched patched;
  wire::SiteKept why;  // kNever
};
constexpr Verdict Never(wire::SiteKept why) { return {Patched::kNever, why}; }
constexpr Verdict kDone = {Patched::kDone, {}};
constexpr Verdict kLater = {Patched::kLater, {}};

Verdict Rewrite(ThreadBlock* block, const GuestCall& call, uint64_t after) {
  // A second one leaves its site for another call.
  const Patcher patcher(Patcher::Patience::kNone);
  if (!patcher.holds()) return kLater;
  const uint64_t site = after - kSiteSize;
  // What lies on two pages could lose one of them.
  uint8_t text[kSiteSize + kLongestInstruction + kJumpSize] = {};
  const uint64_t in_page = kPage - (site & (kPage - 1));
  const size_t size = in_page < sizeof(text) ? in_page : sizeof(text);
  if (size < kJumpSize) return Never(SiteKept::kPageEnd);
  if (!IsText(site, size)) return Never(SiteKept::kText);
  const bool alone = IsAlone(block);
  if (!alone && !CanSynchronize()) return Never(SiteKept::kHost);
  if (!alone && SomeoneComesBackBlind(block, after)) return kLater;

  const StubHead* const old = StubOf(after);
  if (old != nullptr && IsDisplaced(old)) {
    // Another thread has just finished, or its process has forked away in the middle.
    TextWriter writer(alone);
    return WriteJump(writer, old, alone) ? kDone : Never(SiteKept::kHost);
  }
  if (!ReadGuest(text, site, size) || memcmp(text, kSyscall, kSiteSize) != 0) {
    return Never(SiteKept::kText);
  }
  const size_t body_size = MovableSize(text + kSiteSize, size - kSiteSize, kDisplaced);
  // Two bytes are not one write; with other threads such a site stays.
  const size_t in_nop = body_size == 0 && alone ? JumpInNop(text + kSiteSize, size - kSiteSize) : 0;
  const size_t jump_at = in_nop == 0 ? 0 : kSiteSize + in_nop;
  const uint64_t entry_stub = StubFor(after);
  if (body_size == 0 && jump_at == 0) return Never(SiteKept::kNextInstruction);
  if (entry_stub == 0) return Never(SiteKept::kRoom);

  StubPlan plan = {.code = site,
                   .after = after,
                   .index = StubIndex(entry_stub),
                   .nr = static_cast<uint32_t>(call.nr),
                   .route = RouteOf(call.nr),
                   .fds = LooksOf(call.nr).fds,
                   .paths = LooksOf(call.nr).paths,
                   .gate = Label(guise_gate),
                   .far_call = 0,
                   .body = text + kSiteSize,
                   .body_size = body_size,
                   .jump_at = static_cast<uint8_t>(jump_at),
                   .under_jump = jump_at == 0 ? nullptr : text + jump_at};
  uint8_t code[kMaxStub];
  const size_t near_size = AssembleStub(plan, code);
  plan.far_call = entry_stub;
  const size_t far_size = AssembleStub(plan, code);
  const Place place =
      TakePlace(site + jump_at, jump_at == 0 ? JumpPlace::kSite : JumpPlace::kApart, near_size, far_size);
  if (place.head == 0) return Never(SiteKept::kRoom);
  plan.code = place.head + sizeof(StubHead);
  plan.far_call = place.far ? entry_stub : 0;
  const size_t stub_size = AssembleStub(plan, code);
  TextWriter writer(alone);
  if (stub_size == 0 || !writer.Write(place.head, code, stub_size)) return Never(SiteKept::kHost);
  const auto* const head = reinterpret_cast<const StubHead*>(place.head);
  // From here on, who comes back from a call of before goes on in the stub.
  g_rewritten.Release(1);
  SetTarget(after, plan.code + head->after_at);
  if (!alone) {
    // Who has read the old target has said before where it was caught.
    if (!Synchronize()) return Never(SiteKept::kHost);
    if (SomeoneComesBackBlind(block, after)) {
      SetTarget(after, after);
      return kLater;
    }
  }
  if (!WriteJump(writer, head, alone)) return Never(SiteKept::kHost);
  wire::SiteTotals& totals = RootRequest().root.sites;
  (place.far ? totals.far : totals.near).Add(1);
  totals.stub_bytes.Add(stub_size);
  return kDone;
}

// Of the sites that share a count, the one that was caught last has it.
SiteCalls& CountOf(ThreadBlock* block, uint64_t after) {
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15u;
  const uint64_t hash = after * kMultiplier;
  SiteCalls& calls = block->site_calls[hash >> 56];
  const auto tag = static_cast<uint8_t>(hash >> 48);
  if (calls.tag != tag) calls = {.tag = tag, .count = 0};
  return calls;
}

}  // namespace

void ConsiderSite(ThreadBlock* block, const GuestCall& call, uint64_t after) {
  const uint32_t wanted = RootReply().published.rewrite_after.Relaxed();
  if (wanted == 0 || block->leaves_gs || block->filters.Acquire() != nullptr) return;
  uint8_t& count = CountOf(block, after).count;
  if (count == kNever) return;
  ++count;
  // With other threads a rewriting costs barriers that interrupt all of them.
  constexpr uint32_t kDearer = 8;
  uint32_t threshold = wanted == 1 || IsAlone(block) ? wanted : wanted * kDearer;
  if (threshold > kMostCalls) threshold = kMostCalls;
  if (count < threshold) return;
  // ABI: uprobe and uretprobe(2) of kernel/events/uprobes.c look at the place that they are called from.
  constexpr uint32_t kProbes[] = {335, 336};
  const auto nr = static_cast<uint32_t>(call.nr);
  if (block->cookie == 0) TakeGs(block);
  const bool movable = nr < wire::kTableNumbers && nr != kProbes[0] && nr != kProbes[1];
  Verdict verdict = Never(movable ? SiteKept::kHost : SiteKept::kNumber);
  if (movable && block->cookie != 0) verdict = Rewrite(block, call, after);
  switch (verdict.patched) {
    case Patched::kDone:
      count = 0;
      break;
    case Patched::kLater:
      --count;
      break;
    case Patched::kNever:
      count = kNever;
      RootRequest().root.sites.kept[static_cast<uint32_t>(verdict.why)].Add(1);
      break;
  }
}

bool HasRewritten() { return g_rewritten.Relaxed() != 0; }

void ForgetStale(uint64_t after) {
  const uint32_t sequence = g_patching.Acquire();
  const StubHead* const head = StubOf(after);
  if (head == nullptr || !Patcher::IsIdle(sequence) || IsDisplaced(head)) return;
  // A stub has its target before its site has the jump.
  wire::AcquireFence();
  if (g_patching.Relaxed() == sequence) SwapTarget(after, CodeOf(head) + head->after_at, after);
}

uint64_t Landing(uint64_t rip) {
  const StubHead* const head = DisplacedAt(rip);
  return head == nullptr ? rip : CodeOf(head) + head->body_at;
}

uint64_t AfterCall(uint64_t rip) {
  const StubHead* const head = DisplacedAt(rip);
  return head == nullptr ? rip : CodeOf(head) + head->after_at;
}

uint64_t SiteOfJumpApart(uint64_t rip) {
  uint8_t text[kJumpSize];
  if (!HasRewritten() || !ReadGuest(text, rip, sizeof(text)) || text[0] != kJump) return 0;
  int32_t distance;
  memcpy(&distance, text + 1, sizeof(distance));
  const uint64_t code = rip + kJumpSize + static_cast<uint64_t>(int64_t{distance});
  const StubHead* const head = HeadAt(code);
  const bool is_apart = head != nullptr && CodeOf(head) == code && head->jump_at != 0;
  return is_apart && SiteOf(head) + head->jump_at == rip ? SiteOf(head) : 0;
}

void TextChanges(ThreadBlock* block, uint64_t start, uint64_t size, bool restore) {
  ForgetText(start, size);
  if (!restore || g_rewritten.Acquire() == 0) return;
  // Who is at a site in the range is done with it then, and no other begins.
  const Patcher patcher(Patcher::Patience::kWaits);
  const bool alone = IsAlone(block);
  ForStubs([&](const StubHead* head) {
    const uint64_t site = SiteOf(head);
    if (site + kJumpSize <= start || site >= start + size || StubOf(head->after) != head || !HoldsJump(head, 2)) return;
    TextWriter writer(alone);
    RestoreText(writer, head, alone);
    SetTarget(head->after, head->after);
  });
}

void ForgetPatcher() {
  const uint32_t sequence = g_patching.Relaxed();
  if (!Patcher::IsIdle(sequence)) g_patching.StoreRelaxed(sequence + 1);
}

}  // namespace guise::shim
