#include "shim/gate/sigsys.h"

#include <linux/audit.h>

#include "shim/arch/x86_64/gates.h"
#include "shim/filter/forced.h"
#include "shim/filter/guest_dispatch.h"
#include "shim/filter/guest_filters.h"
#include "shim/gate/channel.h"
#include "shim/gate/fold.h"
#include "shim/gate/overlay.h"
#include "shim/gate/own.h"
#include "shim/gate/published.h"
#include "shim/signal/actions.h"
#include "shim/signal/deliver.h"
#include "shim/signal/fault.h"
#include "shim/signal/interrupt.h"
#include "shim/signal/present.h"
#include "shim/thread/records.h"
#include "shim/thread/stub_table.h"
#include "shim/view/fds.h"
#include "shim/view/proc.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// ABI: include/uapi/asm-generic/siginfo.h
constexpr int kUserDispatch = 2;

// By the call at this place, not sent by somebody: what a process sends to itself may carry any code.
bool IsForced(const siginfo_t* info, const ucontext* context) {
  return info->si_code > 0 && reinterpret_cast<uint64_t>(info->si_call_addr) == RegsOf(context)->rip;
}

// A SIGSYS that is not the shim's: sent by somebody, or made by a seccomp filter.
void GuestsOwn(ThreadBlock* block, siginfo_t* info, ucontext* context) {
  const bool forced = IsForced(info, context);
  if (KeepInterruption(block, info, context)) return;
  if (block->blocks_sigsys && !forced) {
    block->held[HeldIndex(SIGSYS)] = *info;
    block->has_held[HeldIndex(SIGSYS)] = true;
    return;
  }
  EndTempMask(block, Present(block, context), context);
  if (!forced) return ApplyDisposition(block, SIGSYS, info, context);
  // A filter's handler compares the two.
  info->si_call_addr = reinterpret_cast<void*>(RegsOf(context)->rip);
  ForceSigsys(block, context, *info);
}

Outcome Act(ThreadBlock* block, const GuestCall& call, const Decision& decision) {
  const ActionCopy& action = decision.action;
  switch (action.verb) {
    case wire::ActionVerb::kConstant:
    case wire::ActionVerb::kDeny:
      return Outcome::Done(action.value);
    case wire::ActionVerb::kFold:
      return Outcome::Tail(FoldedCall(call, action));
    case wire::ActionVerb::kOverlay:
      return StatWithOverlay(block, call, decision.overlay);
    case wire::ActionVerb::kNone:
      break;
  }
  return Outcome::Native();
}

Outcome Answer(ThreadBlock* block, const GuestCall& call) {
  const Decision decision = EnterGate(block, static_cast<uint32_t>(call.nr));
  CountCall(block, decision.placement, decision.epoch);
  Outcome outcome;
  switch (decision.placement) {
    case wire::Placement::kShim:
      outcome = Act(block, call, decision);
      break;
    case wire::Placement::kServer:
      // From here on the slot stands for the call, by its epoch.
      outcome = Reflect(block, call, decision.epoch);
      break;
    case wire::Placement::kKernel:
      break;
  }
  LeaveGate(block);
  return outcome;
}

// Native calls that are made here, not in guest context: results to be looked through; and, while the guest blocks
// SIGSYS, what may wait for a signal: guest context needs SIGSYS open, for dispatch, and would take one that the guest
// waits for by sigwait(3) or signalfd(2), or not take one that the call's own mask opens.
bool IsMadeHere(const ThreadBlock* block, const GuestCall& call) {
  return NeedsFilter(call.nr) || (block->blocks_sigsys && HasTrait(call, syscall::Trait::MayBlock));
}

Outcome MakeHere(ThreadBlock* block, const GuestCall& asked, const Outcome& outcome) {
  if (outcome.kind != Outcome::Kind::kNative && outcome.kind != Outcome::Kind::kTail) return outcome;
  const GuestCall& call = outcome.kind == Outcome::Kind::kNative ? asked : outcome.call;
  if (block->has_interruption || !IsMadeHere(block, call)) return outcome;
  return Outcome::Done(PerformStep(block, call));
}

void Apply(ThreadBlock* block, ucontext* context, const GuestCall& asked, Outcome outcome) {
  GuestRegs& regs = *RegsOf(context);
  switch (outcome.kind) {
    case Outcome::Kind::kDone:
      regs.rax = static_cast<uint64_t>(outcome.value);
      return;
    case Outcome::Kind::kRedirected:
      return;
    case Outcome::Kind::kNative:
      if (const uint64_t stub = StubFor(regs.rip)) {
        regs.rip = stub;
        return;
      }
      outcome.call = asked;
      [[fallthrough]];
    case Outcome::Kind::kTail:
      block->regs = regs;
      regs.rax = static_cast<uint64_t>(outcome.call.nr);
      regs.rdi = outcome.call.args[0];
      regs.rsi = outcome.call.args[1];
      regs.rdx = outcome.call.args[2];
      regs.r10 = outcome.call.args[3];
      regs.r8 = outcome.call.args[4];
      regs.r9 = outcome.call.args[5];
      regs.rbx = reinterpret_cast<uint64_t>(block);
      regs.rip = Label(guise_tail_gate);
      return;
  }
}

}  // namespace

void OnSigsys(int, siginfo_t* info, ucontext* context) {
  ThreadBlock* const block = BlockOf(context);
  const FaultsOpen open(block, context);
  if (info->si_code != kUserDispatch || !IsForced(info, context)) return GuestsOwn(block, info, context);
  GuestRegs& regs = *RegsOf(context);
  const auto nr = static_cast<uint32_t>(regs.rax);
  const uint32_t arch = info->si_arch;
  if (block->dispatch.on && DispatchedByGuest(block, context, nr, arch)) return;
  // int 0x80 carries numbers of another table, which no personality claims; let through, they would leave the session
  // (its execve is not this one). The answer is that of a kernel without that table's calls.
  const bool foreign = arch != AUDIT_ARCH_X86_64;
  GuestCall asked = {Nr{nr}, {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9}};
  if (foreign) asked = {Nr{nr}, {regs.rbx, regs.rcx, regs.rdx, regs.rsi, regs.rdi, regs.rbp}};
  Outcome outcome = foreign ? Outcome::Done(-ENOSYS) : Outcome::Native();
  if (block->filters.Acquire() != nullptr && StoppedByFilter(block, context, &asked, arch, &outcome)) {
    return Apply(block, context, asked, outcome);
  }
  if (foreign) return Apply(block, context, asked, outcome);
  block->has_temp_mask = false;
  block->ignored_fault = 0;
  block->mask = context->uc_sigmask;
  GuestCall call = asked;
  if (!AnswerOwn(block, context, &call, &outcome)) outcome = Answer(block, call);
  if (outcome.kind == Outcome::Kind::kNative && !Same(call, asked)) outcome = Outcome::Tail(call);
  outcome = MakeHere(block, asked, outcome);
  if (!Restarts(block, outcome)) Apply(block, context, asked, outcome);
  if (block->has_interruption) DeliverInterruption(block, context, outcome);
}

}  // namespace guise::shim
