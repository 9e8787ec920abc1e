#include "shim/signal/present.h"

#include "proto/syscall/table.h"
#include "proto/wire/published.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/rewrite/areas.h"
#include "shim/rewrite/jump.h"
#include "shim/rewrite/rewrite.h"
#include "shim/thread/stub_table.h"

namespace guise::shim {
namespace {

bool Between(uint64_t rip, const char* first, const char* end) { return rip >= Label(first) && rip < Label(end); }

// The call whose instruction ends at `end` is not made yet.
Presented AtSite(uint64_t end, GuestRegs& regs) {
  regs.rip = end - kSiteSize;
  return {.in_shim = false, .after_call = false};
}

// In the gate, with a value of the direct table in the block.
Presented PresentValue(const ThreadBlock& block, GuestRegs& regs) {
  const bool counted = regs.rip >= Label(guise_value_gate_counted);
  regs.rax = counted ? block.tail[0] : block.regs.rax;
  regs.rbx = block.regs.rbx;
  regs.rsp = block.regs.rsp;
  regs.eflags = block.regs.eflags;
  regs.r11 = regs.eflags;
  regs.rcx = SiteEnd(block.site);
  regs.rip = counted ? regs.rcx : regs.rcx - kSiteSize;
  return {.in_shim = false, .after_call = counted};
}

// In the stub of a rewritten site.
Presented PresentStub(const StubHead& head, GuestRegs& regs) {
  const uint64_t at = regs.rip - CodeOf(&head);
  if (at < head.ahead) {
    regs.rip = StartOf(&head) + at;
    return {.in_shim = false, .after_call = false};
  }
  if (at < head.after_at) return AtSite(head.after, regs);
  regs.rip = at < size_t{head.body_at} + head.body_size ? head.after : head.after + head.body_size;
  if (at >= head.body_at) return {.in_shim = false, .after_call = false};
  regs.rcx = head.after;
  return {.in_shim = false, .after_call = true};
}

// The call to be made from the gate of stubs has not been made, or is to be made again.
Presented BeforeDirect(const ThreadBlock& block, GuestRegs& regs) {
  // A stop has come in the middle of the call, which goes on with what is left.
  const bool is_call = regs.rip == Label(guise_attempt_gate_call) || regs.rip == Label(guise_fold_gate_call);
  const bool resumes = is_call && regs.rax == static_cast<uint64_t>(syscall::Nr::restart_syscall);
  if (!resumes) regs.rax = block.regs.rax;
  return AtSite(SiteEnd(block.site), regs);
}

Presented AfterDirect(const ThreadBlock& block, GuestRegs& regs) {
  regs.rip = SiteEnd(block.site);
  regs.rcx = regs.rip;
  regs.r11 = regs.eflags;
  return {.in_shim = false, .after_call = true};
}

// Of guise_direct_gate, up to guise_fold_gate. Nothing but rax, rcx and r11 has changed; a refusal is no answer yet.
Presented PresentAttempt(const ThreadBlock& block, GuestRegs& regs) {
  if (regs.rip < Label(guise_attempt_gate_call)) return AtSite(SiteEnd(block.site), regs);
  const auto refused = static_cast<uint8_t>(wire::AskOn::kRefused);
  const bool made = regs.rip >= Label(guise_attempt_gate_called) && regs.rip < Label(guise_attempt_gate_refused);
  if (made && !wire::Asks(refused, static_cast<int64_t>(regs.rax))) return AfterDirect(block, regs);
  return BeforeDirect(block, regs);
}

// Of guise_fold_gate.
Presented PresentFold(const ThreadBlock& block, GuestRegs& regs) {
  if (regs.rip < Label(guise_fold_gate_saved)) return AtSite(SiteEnd(block.site), regs);
  regs.rdi = block.fold_words[0];
  regs.rsi = block.fold_words[1];
  regs.rdx = block.fold_words[2];
  regs.r10 = block.fold_words[3];
  regs.r8 = block.fold_words[4];
  regs.r9 = block.fold_words[5];
  if (regs.rip >= Label(guise_fold_gate_free)) {
    constexpr uint64_t kOfLahf = 0xd5;  // sign, zero, auxiliary carry, parity, carry
    constexpr uint64_t kOverflow = 0x800;
    const uint64_t overflow = (block.fold_flags & 1) != 0 ? kOverflow : 0;
    regs.eflags = (regs.eflags & ~(kOfLahf | kOverflow)) | (block.fold_flags >> 8 & kOfLahf) | overflow;
  }
  return regs.rip >= Label(guise_fold_gate_called) ? AfterDirect(block, regs) : BeforeDirect(block, regs);
}

}  // namespace

Presented Present(ThreadBlock* block, ucontext* context) {
  GuestRegs& regs = *RegsOf(context);
  bool called = false;
  if (const uint64_t after = StubReturn(regs.rip, &called)) {
    regs.rip = called ? after : after - kSiteSize;
    if (called) regs.rcx = after;
    return {.in_shim = false, .after_call = called};
  }
  if (const StubHead* const head = HeadAt(regs.rip)) return PresentStub(*head, regs);
  if (regs.rip >= Label(guise_traps) && regs.rip < Label(guise_deliver_trap)) {
    return AtSite(SiteEnd(static_cast<uint32_t>((regs.rip - Label(guise_traps)) / kSiteSize)), regs);
  }
  // On the way out to what was kept, nothing else is let in.
  const bool delivers = block->has_interruption;
  if (!delivers && Between(regs.rip, guise_value_gate_open, guise_value_gate_end)) return PresentValue(*block, regs);
  if (!delivers && Between(regs.rip, guise_gate_leave, guise_gate_end)) {
    const bool before = block->gate_before || regs.rip >= Label(guise_gate_tail);
    regs = block->regs;
    if (before) regs.rip -= kSiteSize;
    return {.in_shim = false, .after_call = !before};
  }
  if (Between(regs.rip, guise_direct_gate, guise_fold_gate)) return PresentAttempt(*block, regs);
  if (Between(regs.rip, guise_fold_gate, guise_fold_gate_end)) return PresentFold(*block, regs);
  if (regs.rip == Label(guise_tail_gate)) {
    // Not yet called, or to be restarted: the guest makes its own call again, and the session answers it again; or,
    // after a stop in the middle of it, the call that goes on with what is left.
    const bool resumes = regs.rax == static_cast<uint64_t>(syscall::Nr::restart_syscall);
    regs = block->regs;
    regs.rip -= kSiteSize;
    if (resumes) regs.rax = static_cast<uint64_t>(syscall::Nr::restart_syscall);
    return {.in_shim = false, .after_call = false};
  }
  if (Between(regs.rip, guise_tail_gate_after, guise_tail_gate_end)) {
    const uint64_t result = regs.rax;
    regs = block->regs;
    regs.rax = result;
    return {.in_shim = false, .after_call = true};
  }
  if (Between(regs.rip, guise_exit_gate_after, guise_exit_gate_end)) {
    regs = block->regs;
    return {.in_shim = false, .after_call = true};
  }
  if (Between(regs.rip, guise_return_gate_after, guise_return_gate_end)) {
    regs = block->regs;
    return {.in_shim = false, .after_call = false};
  }
  if (const uint64_t site = SiteOfJumpApart(regs.rip)) regs.rip = site;
  return {.in_shim = InImage(regs.rip), .after_call = false};
}

void EndTempMask(ThreadBlock* block, const Presented& presented, const ucontext* context) {
  if (!presented.after_call || static_cast<int64_t>(RegsOf(context)->rax) != -EINTR) block->has_temp_mask = false;
}

}  // namespace guise::shim
