#include "shim/rewrite/rewrite.h"

#include "shim/gate/routes.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/rewrite/areas.h"
#include "shim/rewrite/book.h"
#include "shim/rewrite/jump.h"
#include "shim/rewrite/patcher.h"
#include "shim/rewrite/site_stub.h"
#include "shim/rewrite/text.h"
#include "shim/rewrite/text_writer.h"
#include "shim/thread/stub_table.h"

namespace guise::shim {
namespace {

using wire::Cell;
using wire::SiteKept;

// Counts of SiteCalls.
constexpr uint8_t kNever = 0xff;
constexpr uint8_t kHard = 0xfe;   // not unless the server knows a way
constexpr uint8_t kAgain = 0xfd;  // which it may, since
static_assert(wire::kMostRewriteAfter < kAgain);

// The files that the server knew of when a site was hard last: it reads them while guests run already.
Cell<uint32_t> g_files_before;

// The stub that a thread which is to go on at `after` goes on in, or null.
const StubHead* DisplacedAt(uint64_t after) {
  const StubHead* const head = StubOf(after);
  return head != nullptr && IsDisplaced(head) ? head : nullptr;
}

bool HoldsJumpAhead(const StubHead* head) { return head->ahead != 0 && HoldsJump(head, 0); }

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

bool SomeoneIsBlind(const ThreadBlock* block) {
  bool found = false;
  ForOtherBlocks(block, [&](const ThreadBlock* other) { found |= other->blocked_faults != 0; });
  return found;
}

// A site as the books name it.
struct InFile {
  TextRange range;
  BookedSite booked;
};
bool FindInFile(uint64_t after, uint32_t nr, InFile* found) {
  const uint64_t site = after - kSiteSize;
  found->booked = {.offset = 0, .nr = nr, .text = 0};
  if (!FindText(site, sizeof(found->booked.text), &found->range) || found->range.key == 0) return false;
  found->booked.offset = found->range.offset + (site - found->range.start);
  return ReadGuest(&found->booked.text, site);
}

// What the server knows of the text around a site.
uint32_t KnownPlan(uint64_t after, uint32_t nr) {
  InFile found;
  if (!FindInFile(after, nr, &found)) return 0;
  return PlanBefore(FileOf(found.range), found.booked);
}

enum class Patched { kDone, kLater, kNever };
struct Verdict {
  Patched patched;
  wire::SiteKept why;  // kNever
};
// Whether the text is the reason, in each process that maps it.
bool IsOfText(SiteKept why) { return why == SiteKept::kNextInstruction || why == SiteKept::kPageEnd; }
constexpr Verdict Never(wire::SiteKept why) { return {Patched::kNever, why}; }
constexpr Verdict kDone = {Patched::kDone, {}};
constexpr Verdict kLater = {Patched::kLater, {}};

Verdict Rewrite(ThreadBlock* block, uint32_t nr, uint64_t after) {
  // A second one leaves its site for another call.
  const Patcher patcher(Patcher::Patience::kNone);
  if (!patcher.holds()) return kLater;
  const Others others = OthersOf(block);
  const bool alone = others == Others::kNone;
  if (!CanSynchronize(others)) return Never(SiteKept::kHost);
  if (!alone && SomeoneComesBackBlind(block, after)) return kLater;

  TextWriter writer(alone);
  const StubHead* const old = StubOf(after);
  if (old != nullptr && IsDisplaced(old)) {
    // Another thread has just finished, or its process has forked away in the middle.
    return WriteJump(writer, old, others) ? kDone : Never(SiteKept::kHost);
  }
  // It is come to another way than by the jump in front of it, or went on from here after a signal.
  if (old != nullptr && HoldsJumpAhead(old)) return kDone;
  MadeStub made = MakeStub(writer, {after, nr, 0}, alone);
  if (made.head == nullptr && made.why == SiteKept::kNextInstruction && alone) {
    const uint32_t plan = KnownPlan(after, nr);
    if (plan != 0) made = MakeStub(writer, {after, nr, plan}, alone);
  }
  if (made.head == nullptr) return Never(made.why);
  if (!SealAreas()) {
    ForgetTwoPages(made.head);
    return Never(SiteKept::kHost);
  }
  LeadToStub(made.head);
  if (!alone) {
    // Who has read the old target has said before where it was caught.
    if (!Synchronize(others)) return Never(SiteKept::kHost);
    // And who makes the text writable now, and has not seen that there is a stub, has said so before.
    if (SomeoneComesBackBlind(block, after) || !IsText(after - kSiteSize, kSiteSize)) {
      SetTarget(after, after);
      return kLater;
    }
  }
  if (!WriteJump(writer, made.head, others)) {
    ForgetTwoPages(made.head);
    return Never(SiteKept::kHost);
  }
  CountStub(made.head);
  return kDone;
}

Verdict Try(ThreadBlock* block, uint32_t nr, uint64_t after) {
  if (block->cookie == 0) TakeGs(block);
  if (!IsRewritable(nr)) return Never(SiteKept::kNumber);
  return block->cookie == 0 ? Never(SiteKept::kHost) : Rewrite(block, nr, after);
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

// Tells the session's book of the site, for the processes that map its text later.
void Learn(const ThreadBlock* block, uint64_t after, uint32_t nr, uint32_t times, uint32_t plan = 0) {
  InFile found;
  if (!FindInFile(after, nr, &found) || !found.range.learns) return;
  found.booked.plan = plan;
  AddToBook({found.range.key, found.range.file, after - kSiteSize, IsAlone(block)}, found.booked, times);
}

// Of sites that were left as they are the process tries those again that the server may have told of meanwhile. Whether
// this one is such a one.
bool IsWorthAnotherLook(ThreadBlock* block, uint8_t count) {
  const uint32_t files = FilesBefore();
  if (count == kHard && files != g_files_before.Relaxed()) {
    g_files_before.StoreRelaxed(files);
    for (SiteCalls& calls : block->site_calls) {
      if (calls.count == kHard) calls.count = kAgain;
    }
    return true;
  }
  return count == kAgain;
}

}  // namespace

bool MayRewrite(const ThreadBlock* block) {
  return RootReply().published.rewrite_after.Relaxed() != 0 && !block->process->keeps_text && !block->leaves_gs &&
         block->filters.Acquire() == nullptr;
}

void ConsiderSite(ThreadBlock* block, const GuestCall& call, uint64_t after) {
  if (!MayRewrite(block)) return;
  const uint32_t wanted = RootReply().published.rewrite_after.Relaxed();
  uint8_t& count = CountOf(block, after).count;
  const auto nr = static_cast<uint32_t>(call.nr);
  const bool movable = IsRewritable(nr);
  if (count >= kAgain) {
    // The server may know a way, and wants to know whether it pays.
    if (movable) Learn(block, after, nr, 1);
    if (!IsWorthAnotherLook(block, count) || !IsAlone(block)) return;
    switch (Try(block, nr, after).patched) {
      case Patched::kDone:
        count = 0;
        break;
      case Patched::kLater:
        break;
      case Patched::kNever:
        count = kHard;
        break;
    }
    return;
  }
  ++count;
  // With other threads a rewriting costs barriers that interrupt all of them.
  constexpr uint32_t kDearer = 2;
  uint32_t threshold = wanted == 1 || OthersOf(block) != Others::kRun ? wanted : wanted * kDearer;
  if (threshold > wire::kMostRewriteAfter) threshold = wire::kMostRewriteAfter;
  // A rewriting is worth some signals.
  constexpr uint32_t kRewriting = 4;
  if (movable) Learn(block, after, nr, count < threshold ? 1 : 1 + kRewriting);
  if (count < threshold) return;
  const Verdict verdict = Try(block, nr, after);
  switch (verdict.patched) {
    case Patched::kDone:
      count = 0;
      break;
    case Patched::kLater:
      --count;
      break;
    case Patched::kNever:
      count = kNever;
      if (movable && verdict.why == SiteKept::kNextInstruction && IsAlone(block)) count = kHard;
      RootRequest().root.sites.kept[static_cast<uint32_t>(verdict.why)].Add(1);
      // With threads more is left as it is than the text is the reason for.
      if (movable && IsOfText(verdict.why) && IsAlone(block)) Learn(block, after, nr, 0, wire::kBookHard);
      break;
  }
}

void ForgetStale(uint64_t after) {
  const uint32_t sequence = Patcher::Sequence();
  const StubHead* const head = StubOf(after);
  if (head == nullptr || !Patcher::IsIdle(sequence) || IsDisplaced(head)) return;
  // Calls at the site itself are caught, and nothing of it is stale.
  if (HoldsJumpAhead(head)) return;
  // A stub has its target before its site has the jump.
  wire::AcquireFence();
  if (Patcher::Sequence() == sequence) SwapTarget(after, CodeOf(head) + head->after_at, after);
}

uint64_t Landing(uint64_t rip) {
  const StubHead* const head = DisplacedAt(rip);
  return head == nullptr ? rip : CodeOf(head) + head->body_at;
}

uint64_t LandingAhead(uint64_t rip) {
  uint64_t found = 0;
  if (!MayHaveRewritten(rip, 1)) return found;
  ForStubs([&](const StubHead* head) {
    if (head->ahead != 0 && JumpOf(head) == rip && found == 0) found = FaultedAhead(head);
  });
  return found;
}

// By the table, which says so before the text is changed; a look at the text would be too late a moment later, and kill
// who blocks the fault.
uint64_t AfterCall(uint64_t rip) {
  const uint64_t target = TargetOf(rip);
  return target == 0 ? rip : target;
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
  // What else has a jump in both a page that goes and one that stays would lead a thread astray.
  wire::FullFence();
  if (!MayHaveRewritten(start, size) || (!restore && !MeetsTwoPages(start, size))) return;
  // Who is at a site in the range is done with it then, and no other begins.
  const Patcher patcher(Patcher::Patience::kWaits);
  const Others others = OthersOf(block);
  // The sites may be from a time when there was one thread.
  CanSynchronize(others);
  ForStubs([&](const StubHead* head) {
    const bool two_pages = LiesOnTwoPages(head);
    if (EndOf(head) <= start || StartOf(head) >= start + size || (!restore && !two_pages)) return;
    if (StubOf(head->after) != head || !HoldsJump(head, 2)) return;
    // One that blocks the fault would die of it.
    if (head->ahead != 0 && others == Others::kRun && SomeoneIsBlind(block)) return;
    TextWriter writer(others == Others::kNone);
    // Else who comes back from the call still goes on in the stub.
    if (!RestoreText(writer, head, others)) return;
    SetTarget(head->after, head->after);
    if (two_pages) ForgetTwoPages(head);
  });
}

}  // namespace guise::shim
