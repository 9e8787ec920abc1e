#include "shim/rewrite/known.h"

#include <linux/mman.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/panic.h"
#include "shim/rewrite/areas.h"
#include "shim/rewrite/book.h"
#include "shim/rewrite/jump.h"
#include "shim/rewrite/patcher.h"
#include "shim/rewrite/rewrite.h"
#include "shim/rewrite/site_stub.h"
#include "shim/rewrite/text.h"
#include "shim/rewrite/text_writer.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint64_t kPage = 4096;

// Costs, in signals of two processes: of a stub; of a page's copy; of new protections of area and text, and their
// pages.
constexpr uint32_t kStubCost = 1;
constexpr uint32_t kPageCost = 2;
constexpr uint32_t kCost = 16;

// Not one that others could not rewrite, and the server knows no way either.
bool Pays(const BookedSite& site) { return site.caught > kStubCost && site.plan != wire::kBookHard; }

uint64_t Size(const TextRange& range) { return range.end - range.start; }
uint64_t SiteIn(const TextRange& range, const BookedSite& booked) {
  return range.start + (booked.offset - range.offset);
}

bool IsAsBooked(const TextRange& range, const BookedSite& booked) {
  const uint64_t site = SiteIn(range, booked);
  uint64_t text;
  return IsRewritable(booked.nr) && site + sizeof(text) <= range.end && ReadGuest(&text, site) && text == booked.text;
}

void MakeStubs(KnownSites* sites, const TextRange& range) {
  OpenAreas();
  TextWriter writer(true);
  for (auto& [booked, head] : *sites) {
    if (!IsAsBooked(range, booked)) continue;
    head = MakeStub(writer, {SiteIn(range, booked) + kSiteSize, booked.nr, booked.plan}, true).head;
  }
}

// Whether one in front of it has taken of its text: what moves for one may have room for the jump of another, and an
// entry that is forged may lie within another's text.
bool MeetsEarlier(KnownSites& sites, const KnownSites::Site& site) {
  for (const auto& earlier : sites) {
    if (&earlier == &site) return false;
    if (earlier.head != nullptr && TakeTheSame(earlier.head, site.head)) return true;
  }
  return false;
}

void WriteJump(const StubHead* head) {
  LeadToStub(head);
  PutJump(head);
  CountStub(head);
  RootRequest().root.sites.known.Add(1);
}

void SealText(const TextRange& range, int32_t fd) {
  constexpr int kText = PROT_READ | PROT_EXEC;
  if (!IsError(Native(Nr::mprotect, range.start, Size(range), kText))) return;
  // What was written may not be executed here (PR_SET_MDWE, SELinux's execmod): the file's own, once more.
  const int64_t mapped = Native(Nr::mmap, range.start, Size(range), kText, MAP_PRIVATE | MAP_FIXED, fd, range.offset);
  if (IsError(mapped)) Panic(wire::PanicKind::kLoader, "a file's text cannot be mapped again", {.error = mapped});
}

}  // namespace

bool KnownSites::Look(const ThreadBlock* block, const BookedFile& file, uint64_t start, uint64_t end) {
  if (file.key == 0 || file.learns || !MayRewrite(block) || !IsAlone(block)) return false;
  ForBookedSites(file, start, end, [&](BookedSite booked) {
    if (booked.plan == wire::kBookHard) booked.plan |= PlanOfLibrary(file, booked);
    Add(booked);
  });
  return KeepWorthwhile();
}

// By offset; one each.
void KnownSites::Add(const BookedSite& booked) {
  uint32_t at = count_;
  while (at > 0 && sites_[at - 1].booked.offset > booked.offset) --at;
  if (at > 0 && sites_[at - 1].booked.offset == booked.offset) {
    sites_[at - 1].booked.caught += booked.caught;
    sites_[at - 1].booked.plan |= booked.plan;
    return;
  }
  if (count_ == kMost) return;
  for (uint32_t i = count_; i > at; --i) sites_[i] = sites_[i - 1];
  sites_[at] = {booked, nullptr};
  ++count_;
}

bool KnownSites::KeepWorthwhile() {
  uint32_t spared = 0;
  uint32_t kept = 0;
  for (uint32_t first = 0; first < count_;) {
    uint32_t caught = 0;
    uint32_t next = first;
    for (; next < count_ && sites_[next].booked.offset / kPage == sites_[first].booked.offset / kPage; ++next) {
      if (Pays(sites_[next].booked)) caught += sites_[next].booked.caught - kStubCost;
    }
    if (caught > kPageCost) {
      spared += caught - kPageCost;
      for (uint32_t i = first; i < next; ++i) {
        if (Pays(sites_[i].booked)) sites_[kept++] = sites_[i];
      }
    }
    first = next;
  }
  count_ = kept;
  return spared > kCost;
}

void RewriteOpen(KnownSites* sites, const TextRange& range, int32_t fd) {
  {
    const Patcher patcher(Patcher::Patience::kNone);
    if (patcher.holds()) MakeStubs(sites, range);
    const bool sealed = patcher.holds() && SealAreas();
    for (auto& known : *sites) {
      if (known.head == nullptr) continue;
      if (sealed && !MeetsEarlier(*sites, known)) {
        WriteJump(known.head);
      } else {
        ForgetTwoPages(known.head);
        known.head = nullptr;
      }
    }
  }
  SealText(range, fd);
}

void RewriteKnown(ThreadBlock* block, const BookedFile& file, const TextRange& range, int32_t fd) {
  KnownSites sites;
  if (!sites.Look(block, file, range.offset, range.offset + Size(range))) return;
  if (IsError(Native(Nr::mprotect, range.start, Size(range), PROT_READ | PROT_WRITE))) return;
  RewriteOpen(&sites, range, fd);
}

}  // namespace guise::shim
