#include "shim/signal/interrupt.h"

#include "shim/arch/x86_64/gates.h"
#include "shim/rewrite/mappings.h"
#include "shim/signal/actions.h"
#include "shim/signal/deliver.h"
#include "shim/signal/fault.h"
#include "shim/view/fds.h"
#include "shim/view/hiding.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// As guise_step_gate reads it.
static_assert(sizeof(Nr) == 4 && offsetof(GuestCall, nr) == 0 && offsetof(GuestCall, args) == 8);

constexpr uint64_t kSiteSize = 2;
constexpr auto kInterrupted = static_cast<uint64_t>(int64_t{-EINTR});

bool IsInterrupted(const Outcome& outcome) { return outcome.kind == Outcome::Kind::kDone && outcome.value == -EINTR; }

}  // namespace

int64_t PerformStep(ThreadBlock* block, const GuestCall& call) {
  if (NeedsFilter(call.nr)) return PerformFiltered(block, call);
  if (MayMeetHidden(call)) return PerformHiding(block, call);
  NoteMappings(block, call);
  if (MapsText(call)) {
    const int64_t mapped = Perform(call);
    NoteMapped(block, call, mapped);
    return mapped;
  }
  if (!HasTrait(call, syscall::Trait::MayBlock)) return Perform(call);
  return PerformOpen(block, call);
}

int64_t PerformOpen(ThreadBlock* block, const GuestCall& call) {
  if (block->in_gate) return guise_wait_gate(&call, block);
  if (block->has_interruption) {
    // One that ended no call has come before this one.
    if (!block->cut_short) block->restarts = true;
    return -EINTR;
  }
  const SignalSet open = block->mask | (block->blocks_sigsys ? Bit(SIGSYS) : 0);
  // What the block holds back is then pending, for the call to find.
  ReleaseSigsys(block);
  ReleaseFaults(block);
  return guise_step_gate(&call, &open, &kShimMask);
}

bool KeepInterruption(ThreadBlock* block, const siginfo_t* info, ucontext* context) {
  GuestRegs& regs = *RegsOf(context);
  if (regs.rip < Label(guise_step_gate_open) || regs.rip >= Label(guise_step_gate_end)) return false;
  block->interruption = *info;
  block->has_interruption = true;
  block->restarts = false;
  block->cut_short = regs.rip <= Label(guise_step_gate_call);
  // Until the end of the conversation nothing else comes: the gate's way out finds its mask already there.
  context->uc_sigmask = kShimMask;
  if (regs.rip <= Label(guise_step_gate_call)) {
    // A call that the kernel would resume by restart_syscall(2) has been interrupted before, by a stop. ABI: behind a
    // handler that fails with EINTR, do_no_restart_syscall() of kernel/signal.c.
    const bool resumes =
        regs.rip == Label(guise_step_gate_call) && regs.rax == static_cast<uint64_t>(Nr::restart_syscall);
    block->restarts = !resumes;
    regs.rip = Label(guise_step_gate_called);
    regs.rax = kInterrupted;
  }
  return true;
}

bool KeepForGate(ThreadBlock* block, const siginfo_t* info, ucontext* context) {
  uint64_t& rip = RegsOf(context)->rip;
  const bool arrives = (rip >= Label(guise_gate) && rip < Label(guise_gate_leave)) ||
                       (rip >= Label(guise_value_gate) && rip < Label(guise_value_gate_open));
  if (block->has_interruption) return false;
  // In a handler of the shim that has come to the gate just now: its mask is not the guest's.
  if ((context->uc_sigmask & Bit(SIGSYS)) != 0) return false;
  if (!arrives && !(block->in_gate && InImage(rip))) return false;
  block->interruption = *info;
  block->has_interruption = true;
  block->restarts = false;
  block->was_open = true;
  block->open_mask = context->uc_sigmask;
  if (rip >= Label(guise_mask_gate_checked) && rip <= Label(guise_mask_gate_call)) rip = Label(guise_mask_gate_kept);
  if (rip >= Label(guise_wait_gate_checked) && rip <= Label(guise_wait_gate_call)) rip = Label(guise_wait_gate_kept);
  // The way out is by dispatch.
  context->uc_sigmask = kShimMask & ~Bit(SIGSYS);
  return true;
}

bool Restarts(const ThreadBlock* block, const Outcome& outcome) {
  if (!block->has_interruption) return false;
  switch (outcome.kind) {
    case Outcome::Kind::kNative:
    case Outcome::Kind::kTail:
      return true;  // still to be made, so the signal comes before
    case Outcome::Kind::kDone:
      return IsInterrupted(outcome) && block->restarts;
    case Outcome::Kind::kRedirected:
      break;
  }
  return false;
}

void DeliverInterruption(ThreadBlock* block, ucontext* context, const Outcome& outcome) {
  const siginfo_t info = block->interruption;
  const int signal = info.si_signo;
  const bool restarts = Restarts(block, outcome);
  block->has_interruption = false;
  if (restarts) RegsOf(context)->rip -= kSiteSize;
  // Of a call that brought its own mask and was not interrupted, the old mask holds again.
  if (restarts || !IsInterrupted(outcome)) block->has_temp_mask = false;
  const SignalSet mask = context->uc_sigmask | (block->blocks_sigsys ? Bit(SIGSYS) : 0);
  if (!block->has_temp_mask && (mask & Bit(signal)) != 0) return Requeue(signal, &info);
  ApplyDisposition(block, signal, &info, context);
}

}  // namespace guise::shim
