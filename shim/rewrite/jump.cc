#include "shim/rewrite/jump.h"

#include <linux/membarrier.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/rewrite/areas.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint8_t kShortJump = 0xeb;
// hlt. ABI: Intel SDM: #GP in user mode.
constexpr uint8_t kFaults = 0xf4;

struct Jump {
  uint8_t bytes[kJumpSize];
};
// For barriers. Of this memory, as in the kernel: children of fork and vfork have it, too.
wire::Cell<uint32_t> g_is_registered;

Jump JumpTo(uint64_t site, uint64_t code) {
  Jump jump = {{kJump, 0, 0, 0, 0}};
  const auto distance = static_cast<uint32_t>(code - (site + kJumpSize));
  // A store, not a call: this is on the way of calls that are made here.
  __builtin_memcpy(jump.bytes + 1, &distance, sizeof(distance));
  return jump;
}

const uint8_t* FrontOf(const StubHead* head) { return reinterpret_cast<const uint8_t*>(CodeOf(head)); }
const uint8_t* BodyOf(const StubHead* head) { return reinterpret_cast<const uint8_t*>(CodeOf(head) + head->body_at); }

// The short jump from the site to a jump apart.
struct ShortJump {
  uint8_t bytes[kSiteSize];
};
ShortJump JumpThere(const StubHead* head) { return {{kShortJump, static_cast<uint8_t>(head->jump_at - kSiteSize)}}; }

struct Span {
  uint64_t start, end;
};
bool Meet(const Span& a, const Span& b) { return a.start < b.end && b.start < a.end; }
// The site with what moves, and the jump; the same span if it stands there.
Span AtSite(const StubHead* head) {
  if (head->jump_at != 0) return {SiteOf(head), head->after};
  return {StartOf(head), EndOf(head)};
}
Span OfJump(const StubHead* head) { return {JumpOf(head), JumpOf(head) + kJumpSize}; }

}  // namespace

bool TakesOf(const StubHead* head, uint64_t start, uint64_t end) {
  return Meet(AtSite(head), {start, end}) || Meet(OfJump(head), {start, end});
}
bool TakeTheSame(const StubHead* one, const StubHead* other) {
  return TakesOf(one, AtSite(other).start, AtSite(other).end) || TakesOf(one, OfJump(other).start, OfJump(other).end);
}

bool Synchronize(Others others) {
  if (others != Others::kRun) return true;
  return !IsError(Native(Nr::membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
}
bool CanSynchronize(Others others) {
  if (others != Others::kRun || g_is_registered.Acquire() != 0) return true;
  if (IsError(Native(Nr::membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0))) return false;
  g_is_registered.Release(1);
  return true;
}

bool HoldsJump(const StubHead* head, size_t from) {
  uint8_t text[kJumpSize];
  if (head->ahead != 0) {
    if (!ReadGuest(text, JumpOf(head), kJumpSize)) return false;
    // Or what is in its place while it is being taken away, which a child of fork may have been left.
    return memcmp(text, JumpTo(JumpOf(head), CodeOf(head)).bytes, kJumpSize) == 0 || FaultedAhead(head) == CodeOf(head);
  }
  if (head->jump_at != 0) {
    return ReadGuest(text, SiteOf(head), kSiteSize) && text[0] == kShortJump && text[1] == head->jump_at - kSiteSize;
  }
  if (!ReadGuest(text, SiteOf(head), sizeof(text))) return false;
  const Jump jump = JumpTo(SiteOf(head), CodeOf(head));
  return memcmp(text + from, jump.bytes + from, kJumpSize - from) == 0;
}

bool IsDisplaced(const StubHead* head) {
  uint8_t text[kJumpSize];
  if (head->jump_at != 0 || head->ahead != 0) return false;
  if (!ReadGuest(text, SiteOf(head), sizeof(text)) || text[1] != kSyscall[1]) return false;
  const Jump jump = JumpTo(SiteOf(head), CodeOf(head));
  if (text[kSiteSize] != jump.bytes[kSiteSize]) return false;
  const uint8_t* const body = BodyOf(head);
  for (size_t i = kSiteSize + 1; i < kJumpSize; ++i) {
    if (text[i] != jump.bytes[i] && text[i] != body[i - kSiteSize]) return false;
  }
  return true;
}

uint64_t FaultedAhead(const StubHead* head) {
  uint8_t text[kJumpSize];
  if (head->ahead == 0 || !ReadGuest(text, JumpOf(head), kJumpSize)) return 0;
  const Jump jump = JumpTo(JumpOf(head), CodeOf(head));
  const uint8_t* const front = FrontOf(head);
  if (memcmp(text, front, kJumpSize) == 0) return JumpOf(head);
  if (text[0] != kFaults) return 0;
  for (size_t i = 1; i < kJumpSize; ++i) {
    if (text[i] != jump.bytes[i] && text[i] != front[i]) return 0;
  }
  return CodeOf(head);
}

// Puts the jump there: what is behind the call first, byte by byte of what a thread may meet, the first byte last.
bool WriteJump(TextWriter& writer, const StubHead* head, Others others) {
  const uint64_t site = SiteOf(head);
  if (JumpOf(head) != site) {
    const Jump elsewhere = JumpTo(JumpOf(head), CodeOf(head));
    return writer.Write(JumpOf(head), elsewhere.bytes, kJumpSize) &&
           (head->jump_at == 0 || writer.Write(site, JumpThere(head).bytes, kSiteSize));
  }
  const Jump jump = JumpTo(site, CodeOf(head));
  if (others == Others::kNone) return writer.Write(site, jump.bytes, kJumpSize);
  if (!writer.WriteByte(site + 2, jump.bytes[2]) || !Synchronize(others)) return false;
  if (!writer.Write(site + 3, jump.bytes + 3, kJumpSize - 3) || !Synchronize(others)) return false;
  return writer.WriteByte(site, jump.bytes[0]);
}

void PutJump(const StubHead* head) {
  // SAFETY: the caller says so of the text.
  auto* const jump = reinterpret_cast<uint8_t*>(JumpOf(head));
  memcpy(jump, JumpTo(JumpOf(head), CodeOf(head)).bytes, kJumpSize);
  if (head->jump_at != 0) memcpy(reinterpret_cast<uint8_t*>(SiteOf(head)), JumpThere(head).bytes, kSiteSize);
}

// And takes it away, the other way round.
bool RestoreText(TextWriter& writer, const StubHead* head, Others others) {
  const uint64_t site = SiteOf(head);
  const uint8_t* const body = BodyOf(head);
  if (head->ahead != 0) {
    const uint64_t jump = JumpOf(head);
    const uint8_t* const front = FrontOf(head);
    if (others == Others::kNone) return writer.Write(jump, front, kJumpSize);
    // Who comes there meanwhile faults, and goes on in the stub (FaultedAhead).
    if (!writer.WriteByte(jump, kFaults)) return false;
    Synchronize(others);
    if (!writer.Write(jump + 1, front + 1, kJumpSize - 1)) return false;
    Synchronize(others);
    return writer.WriteByte(jump, front[0]);
  }
  if (head->jump_at != 0) {
    // Not one write, but nobody executes what is about to be writable, or takes the risk.
    if (!writer.Write(site, kSyscall, kSiteSize)) return false;
    // Another thread may stand between the two jumps; this one, if a signal interrupted it there, goes on at the site.
    return others != Others::kNone || writer.Write(JumpOf(head), head->under_jump, kJumpSize);
  }
  if (others == Others::kNone) {
    uint8_t bytes[kJumpSize];
    memcpy(bytes, kSyscall, kSiteSize);
    memcpy(bytes + kSiteSize, body, kDisplaced);
    return writer.Write(site, bytes, sizeof(bytes));
  }
  // Where no barrier is to be had, half of a jump would still be worse than none.
  if (!writer.WriteByte(site, kSyscall[0])) return false;
  Synchronize(others);
  if (!writer.Write(site + 3, body + 1, kDisplaced - 1)) return false;
  Synchronize(others);
  return writer.WriteByte(site + 2, body[0]);
}

}  // namespace guise::shim
