#include "shim/gate/sigsys.h"

#include <linux/audit.h>

#include "shim/arch/x86_64/gates.h"
#include "shim/filter/forced.h"
#include "shim/filter/guest_dispatch.h"
#include "shim/filter/guest_filters.h"
#include "shim/gate/answer.h"
#include "shim/gate/channel.h"
#include "shim/gate/own.h"
#include "shim/gate/published.h"
#include "shim/rewrite/rewrite.h"
#include "shim/signal/actions.h"
#include "shim/signal/deliver.h"
#include "shim/signal/fault.h"
#include "shim/signal/fault_words.h"
#include "shim/signal/interrupt.h"
#include "shim/signal/present.h"
#include "shim/thread/records.h"
#include "shim/thread/stub_table.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// ABI: include/uapi/asm-generic/siginfo.h
constexpr int kUserDispatch = 2;

constexpr uint64_t kSiteSize = 2;

// By the call at this place, not sent by somebody: what a process sends to itself may carry any code.
bool IsForced(const siginfo_t* info, const ucontext* context) {
  return info->si_code > 0 && reinterpret_cast<uint64_t>(info->si_call_addr) == RegsOf(context)->rip;
}

// A SIGSYS that is not the shim's: sent by somebody, or made by a seccomp filter.
void GuestsOwn(ThreadBlock* block, siginfo_t* info, ucontext* context) {
  const bool forced = IsForced(info, context);
  if (KeepInterruption(block, info, context) || KeepForGate(block, info, context)) return;
  if (block->blocks_sigsys && !forced) {
    Hold(block, *info);
    return;
  }
  const Presented presented = Present(block, context);
  if (presented.in_shim) {
    // A second one that came to the gate.
    Hold(block, *info);
    return;
  }
  EndTempMask(block, presented, context);
  if (!forced) {
    ApplyDisposition(block, SIGSYS, info, context);
    return;
  }
  // A filter's handler compares the two.
  info->si_call_addr = reinterpret_cast<void*>(RegsOf(context)->rip);
  ForceSigsys(block, context, *info);
}

// What the kernel has refused. In another epoch by now, perhaps, where nobody asks.
Outcome AskServer(ThreadBlock* block, const GuestCall& call, const Outcome& refused) {
  const Decision decision = EnterGate(block, call);
  const bool asks = decision.placement == wire::Placement::kServer || wire::Asks(decision.action.asks, refused.value);
  CountCall(block, asks ? wire::Placement::kServer : decision.placement, decision.epoch);
  const Outcome outcome = asks ? Reflect(block, call, decision.epoch) : refused;
  LeaveGate(block);
  return outcome;
}

Outcome Answer(ThreadBlock* block, const GuestCall& call) {
  const Decision decision = EnterGate(block, call);
  if (decision.action.asks == 0) CountCall(block, decision.placement, decision.epoch);
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
  if (decision.action.asks != 0) {
    if (!Attempt(block, call, decision.action.asks, &outcome)) {
      // A signal that has come meanwhile comes before the call, which has had no effect.
      return block->has_interruption ? Outcome::Native() : AskServer(block, call, outcome);
    }
    CountCall(block, decision.placement, CurrentEpoch());
  }
  return outcome;
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
      block->resume = AfterCall(regs.rip);
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

// When a signal has come to the gate, all others are blocked since.
void EndOpen(ThreadBlock* block, ucontext* context) {
  if (block->was_open) context->uc_sigmask = block->open_mask & ~Bit(SIGSYS);
  block->was_open = false;
}

// A thread that a stub or the gate has sent here is shown at its site.
void LeaveTrap(ThreadBlock* block, ucontext* context) {
  GuestRegs& regs = *RegsOf(context);
  const auto index = static_cast<uint32_t>((regs.rip - Label(guise_traps)) / kSiteSize - 1);
  regs.rip = SiteEnd(index);
  regs.rcx = regs.rip;
  EndOpen(block, context);
}

// What was kept in the gate finds the guest where the context says.
void DeliverKept(ThreadBlock* block, ucontext* context) {
  const siginfo_t info = block->interruption;
  block->has_interruption = false;
  block->has_temp_mask = false;
  const SignalSet mask = context->uc_sigmask | (block->blocks_sigsys ? Bit(SIGSYS) : 0);
  if ((mask & Bit(info.si_signo)) != 0) return Requeue(info.si_signo, &info);
  ApplyDisposition(block, info.si_signo, &info, context);
}

// The gate's way out when a signal has come to it.
void DeliverOfGate(ThreadBlock* block, ucontext* context) {
  GuestRegs& regs = *RegsOf(context);
  regs = block->regs;
  if (block->gate_before) regs.rip -= kSiteSize;
  EndOpen(block, context);
  DeliverKept(block, context);
}

void OnCall(ThreadBlock* block, siginfo_t* info, ucontext* context) {
  GuestRegs& regs = *RegsOf(context);
  const auto nr = static_cast<uint32_t>(regs.rax);
  const uint32_t arch = info->si_arch;
  if (regs.rip == Label(guise_deliver_trap) + kSiteSize) return DeliverOfGate(block, context);
  const bool trap = regs.rip > Label(guise_traps) && regs.rip <= Label(guise_deliver_trap);
  if (trap) LeaveTrap(block, context);
  // It has come on the way here: before the call.
  if (trap && block->has_interruption) {
    regs.rip -= kSiteSize;
    return DeliverKept(block, context);
  }
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
  block->caught_behind.Release(regs.rip);
  CountCaught(block);
  if (!trap) {
    ForgetStale(regs.rip);
    ConsiderSite(block, asked, regs.rip);
  }
  GuestCall call = asked;
  if (!AnswerOwn(block, context, &call, &outcome)) outcome = Answer(block, call);
  if (outcome.kind == Outcome::Kind::kNative && !Same(call, asked)) outcome = Outcome::Tail(call);
  MakeHere(block, asked, &outcome);
  if (!Restarts(block, outcome)) Apply(block, context, asked, outcome);
  if (block->has_interruption) DeliverInterruption(block, context, outcome);
}

}  // namespace

void OnSigsys(int, siginfo_t* info, ucontext* context) {
  ThreadBlock* const block = BlockOf(context);
  ShowLastFault(block, context, false);
  const FaultsOpen open(block, context);
  if (info->si_code != kUserDispatch || !IsForced(info, context)) {
    GuestsOwn(block, info, context);
  } else {
    OnCall(block, info, context);
  }
  Settle(block, context);
}

}  // namespace guise::shim
