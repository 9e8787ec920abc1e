#include "shim/rewrite/site_stub.h"

#include "proto/wire/layout.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/gate/looks.h"
#include "shim/gate/routes.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/rewrite/areas.h"
#include "shim/rewrite/jump.h"
#include "shim/rewrite/moved.h"
#include "shim/rewrite/text.h"
#include "shim/thread/stub_table.h"

namespace guise::shim {
namespace {

using wire::Cell;
using wire::SiteKept;

constexpr uint64_t kPage = 4096;
constexpr size_t kLongestInstruction = 15;

Cell<uint32_t> g_rewritten;  // 1: some site has a stub, or had

// Where sites with stubs lie, or lay: a bit for all stretches of address space with its hash. Most memory that changes
// its protection is far from text, and looks no further.
constexpr uint64_t kStretch = 2 << 20;
constexpr uint64_t kStretchWords = 8;
Cell<uint64_t> g_stretches[kStretchWords];

struct StretchBit {
  Cell<uint64_t>& word;
  uint64_t bit;
};
StretchBit BitOfStretch(uint64_t stretch) {
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15u;
  const uint64_t hash = stretch * kMultiplier >> 32;
  return {g_stretches[hash >> 6 & (kStretchWords - 1)], uint64_t{1} << (hash & 63)};
}

// REQUIRES: the caller is the process's patcher.
void NoteStretch(uint64_t address) {
  const auto [word, bit] = BitOfStretch(address / kStretch);
  // Full: a thread that makes the stretch writable sees this, or who rewrites there sees that its text is none any
  // more.
  if ((word.Relaxed() & bit) == 0) word.StoreFull(word.Relaxed() | bit);
}

// Sites on two pages.
constexpr uint32_t kStraddlers = 16;
Cell<const StubHead*> g_straddlers[kStraddlers];

Cell<const StubHead*>* FreeStraddler() {
  for (Cell<const StubHead*>& straddler : g_straddlers) {
    if (straddler.Acquire() == nullptr) return &straddler;
  }
  return nullptr;
}

MadeStub None(SiteKept why) { return {nullptr, why}; }

// What stands in front of a call, where a jump is to stand.
struct Ahead {
  uint8_t size = 0;  // as in StubHead
  uint8_t text[wire::kBookMostAhead];
};

// Begins where the server has found an instruction to begin, `size` bytes in front of the site. Who comes to one of the
// others makes the call as ever, for nothing but that one changes.
Ahead FindAhead(uint64_t site, size_t size) {
  Ahead ahead;
  if (size < kJumpSize || size > wire::kBookMostAhead) return ahead;
  const uint64_t start = site - size;
  // Where one of two pages goes it has to be taken away, which may not be possible while threads run (jump.h).
  if (start / kPage != (site + kSiteSize - 1) / kPage) return ahead;
  if (!IsText(start, size) || !ReadGuest(ahead.text, start, size) || !AllMove(ahead.text, size)) return ahead;
  // Another site's jump, and what moves for it, may be there already; or have been, in text that is gone.
  bool is_taken = false;
  ForStubs([&](const StubHead* other) {
    is_taken |= TakesOf(other, start, site) && StubOf(other->after) == other && HoldsJump(other, kSiteSize);
  });
  if (!is_taken) ahead.size = static_cast<uint8_t>(size);
  return ahead;
}

}  // namespace

bool IsRewritable(uint32_t nr) {
  // ABI: uprobe and uretprobe(2) of kernel/events/uprobes.c look at the place that they are called from.
  constexpr uint32_t kProbes[] = {335, 336};
  if (nr == kProbes[0] || nr == kProbes[1]) return false;
  // The gate has to be caught for these as well. And a thread that is stepped from there on alone, by a trap flag set
  // right in front of the call, would meet a jump, where natively nothing traps before the new program.
  if (nr == static_cast<uint32_t>(syscall::Nr::execve) || nr == static_cast<uint32_t>(syscall::Nr::execveat))
    return false;
  return nr < wire::kTableNumbers;
}

MadeStub MakeStub(TextWriter& writer, const SiteToRewrite& wanted, bool alone) {
  const auto [after, nr, known] = wanted;
  const uint64_t site = after - kSiteSize;
  // What lies on two pages may lose one of them.
  uint8_t text[kSiteSize + kLongestInstruction + kJumpSize] = {};
  const uint64_t in_page = kPage - (site & (kPage - 1));
  const bool may_straddle = alone && IsText(site, sizeof(text)) && FreeStraddler() != nullptr;
  const size_t size = in_page < sizeof(text) && !may_straddle ? in_page : sizeof(text);
  if (size < kJumpSize) return None(SiteKept::kPageEnd);
  if (!may_straddle && !IsText(site, size)) return None(SiteKept::kText);
  if (!ReadGuest(text, site, size) || memcmp(text, kSyscall, kSiteSize) != 0) return None(SiteKept::kText);
  const size_t body_size = MovableSize(text + kSiteSize, size - kSiteSize, kDisplaced);
  // Where the jump stands instead of at the site: two bytes are not one write, and five may be met in the middle.
  size_t jump_at = 0;  // as in StubHead
  Ahead ahead;
  if (body_size == 0 && alone) {
    const size_t in_nop = JumpInNop(text + kSiteSize, size - kSiteSize);
    if (in_nop != 0) jump_at = kSiteSize + in_nop;
    if (jump_at == 0) ahead = FindAhead(site, wire::BookAhead(known));
  }
  const uint64_t jump = site + jump_at - ahead.size;
  const uint64_t entry_stub = StubFor(after);
  if (body_size == 0 && jump == site) return None(SiteKept::kNextInstruction);
  if (entry_stub == 0) return None(SiteKept::kRoom);

  const syscall::Nr number{nr};
  const bool far = !ReachesImage(jump);
  StubPlan plan = {.code = site,
                   .after = after,
                   .index = StubIndex(entry_stub),
                   .nr = nr,
                   .route = RouteOf(number),
                   .fds = LooksOf(number).fds,
                   .paths = LooksOf(number).paths,
                   .gate = Label(guise_gate),
                   .direct_gate = !far && IsMadeOtherwise(number) ? Label(guise_direct_gate) : 0,
                   .far_call = far ? entry_stub : 0,
                   .body = text + kSiteSize,
                   .body_size = body_size,
                   .jump_at = static_cast<uint8_t>(jump_at),
                   .under_jump = jump_at == 0 ? nullptr : text + jump_at,
                   .front = ahead.text,
                   .ahead = ahead.size};
  uint8_t code[kMaxStub];
  const size_t stub_size = AssembleStub(plan, code);
  const uint64_t head = TakePlace(jump, jump == site ? JumpPlace::kSite : JumpPlace::kApart, stub_size);
  if (head == 0) return None(SiteKept::kRoom);
  plan.code = head + sizeof(StubHead);
  AssembleStub(plan, code);
  if (!WriteToArea(writer, head, code, stub_size)) return None(SiteKept::kHost);
  const auto* const made = reinterpret_cast<const StubHead*>(head);
  if (LiesOnTwoPages(made)) FreeStraddler()->Release(made);
  return {made, {}};
}

bool LiesOnTwoPages(const StubHead* head) { return StartOf(head) / kPage != (EndOf(head) - 1) / kPage; }

bool MeetsTwoPages(uint64_t start, uint64_t size) {
  for (const Cell<const StubHead*>& straddler : g_straddlers) {
    const StubHead* const head = straddler.Acquire();
    if (head != nullptr && StartOf(head) < start + size && start < EndOf(head)) return true;
  }
  return false;
}

void ForgetTwoPages(const StubHead* head) {
  for (Cell<const StubHead*>& straddler : g_straddlers) {
    if (straddler.Acquire() == head) straddler.Release(nullptr);
  }
}

void LeadToStub(const StubHead* head) {
  g_rewritten.Release(1);
  NoteStretch(StartOf(head));
  NoteStretch(EndOf(head) - 1);
  SetTarget(head->after, CodeOf(head) + head->after_at);
}

bool HasRewritten() { return g_rewritten.Acquire() != 0; }

bool MayHaveRewritten(uint64_t start, uint64_t size) {
  if (!HasRewritten() || size == 0) return false;
  const uint64_t first = start / kStretch;
  const uint64_t count = (start + size - 1) / kStretch - first + 1;
  if (count > 64 * kStretchWords) return true;
  for (uint64_t i = 0; i < count; ++i) {
    const auto [word, bit] = BitOfStretch(first + i);
    if ((word.Acquire() & bit) != 0) return true;
  }
  return false;
}

const StubHead* StubOf(uint64_t after) {
  if (!HasRewritten()) return nullptr;
  const uint64_t target = TargetOf(after);
  return target == 0 || target == after ? nullptr : HeadAt(target);
}

void CountStub(const StubHead* head) {
  wire::SiteTotals& totals = RootRequest().root.sites;
  (IsFar(head) ? totals.far : totals.near).Add(1);
  totals.stub_bytes.Add(head->size);
}

}  // namespace guise::shim
