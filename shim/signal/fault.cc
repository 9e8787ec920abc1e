#include "shim/signal/fault.h"

#include <initializer_list>

#include "shim/arch/x86_64/cpu.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/gate/trace.h"
#include "shim/memory.h"
#include "shim/panic.h"
#include "shim/rewrite/areas.h"
#include "shim/rewrite/rewrite.h"
#include "shim/signal/actions.h"
#include "shim/signal/deliver.h"
#include "shim/signal/fault_words.h"
#include "shim/signal/interrupt.h"
#include "shim/signal/leave.h"
#include "shim/signal/present.h"
#include "shim/signal/vsyscall.h"

#pragma GCC visibility push(hidden)
extern "C" {
struct GuiseFaultEntry {
  int32_t at;
  int32_t fixup;
};
extern const GuiseFaultEntry guise_faults[] __asm__("__start_guise_faults");
extern const GuiseFaultEntry guise_faults_end[] __asm__("__stop_guise_faults");
}
#pragma GCC visibility pop

namespace guise::shim {
namespace {

using syscall::Nr;

// What a word of the table says.
uint64_t From(const int32_t& word) { return reinterpret_cast<uint64_t>(&word) + static_cast<uint64_t>(int64_t{word}); }

// Where a fault at `rip` goes on; 0: not an instruction that may fault.
uint64_t FixupOf(uint64_t rip) {
  for (const GuiseFaultEntry* entry = guise_faults; entry != guise_faults_end; ++entry) {
    if (rip == From(entry->at)) return From(entry->fixup);
  }
  return 0;
}

// Where a thread is caught whose %gs a stub or the gate has found to be no block of the shim's; 0: it is not there.
uint64_t TrapFor(const GuestRegs& regs) {
  const StubHead* const head = HeadAt(regs.rip);
  const uint64_t at = head == nullptr ? 0 : regs.rip - CodeOf(head);
  if (head != nullptr && at >= head->ahead && at < head->call_at) return Label(guise_traps) + 2 * uint64_t{head->index};
  if (regs.rip == Label(guise_gate)) return Label(guise_traps) + 2 * regs.rcx;
  return 0;
}

// Behind a call that the image has made: an instruction that does not fault.
bool IsBehindCall(uint64_t rip) {
  constexpr uint16_t kSyscall = 0x050f;
  uint16_t before = 0;
  if (!InImage(rip)) return false;
  memcpy(&before, reinterpret_cast<const char*>(rip) - sizeof(before), sizeof(before));
  return before == kSyscall;
}

// By an instruction, not sent by somebody. ABI: SI_FROMKERNEL, include/linux/signal.h; but what a process sends to
// itself may carry any code, rt_tgsigqueueinfo(2), and comes behind a call.
bool IsFault(const siginfo_t* info, uint64_t rip) { return info->si_code > 0 && !IsBehindCall(rip); }

// Behind the instruction that returns from the shim's handlers.
bool IsRestorer(uint64_t rip) {
  constexpr uint64_t kRestorerSize = 9;
  return rip == Label(guise_restorer) + kRestorerSize;
}

// What becomes of a signal that has found the guest. Whether a handler is entered.
bool Decide(ThreadBlock* block, int signal, siginfo_t* info, ucontext* context, bool faulted) {
  const GuestRegs& regs = *RegsOf(context);
  if (ReturnBlocked(block, info, context)) return false;
  if (!faulted) return ApplyDisposition(block, signal, info, context);
  if (block->asked_for_trace) {
    // The instruction faults again, and its signal is a stop: the tracer's, before it is anybody's.
    BeginTrace(block);
    return false;
  }
  const KernelAction action = TakeAction(block->process, signal);
  if (IsHandled(action)) return Deliver(block, signal, info, context, action);
  // ABI: an ignored fault kills too, force_sig_info_to_task(). One that no instruction is the cause of does not come
  // again at this place.
  if (action.handler == kIgnore && block->ignored_fault != regs.rip) {
    block->ignored_fault = regs.rip;
    return false;
  }
  DefaultInKernel(signal);
  // A core then shows the guest's registers.
  Requeue(signal, info);
  return false;
}

// The handler that the guest enters, when it can be entered from here at once (signal/leave.h), or 0.
uint64_t Handle(ThreadBlock* block, int signal, siginfo_t* info, ucontext* context, const Presented& presented,
                bool faulted) {
  const FaultsOpen open(block, context);
  EndTempMask(block, presented, context);
  const bool enters = Decide(block, signal, info, context, faulted);
  const uint64_t shown = Settle(block, context);
  return enters && CanLeave(block, context) ? shown : 0;
}

// Sent from outside while the shim works.
void PutOff(ThreadBlock* block, int signal, const siginfo_t* info, ucontext* context) {
  if (block->copies || block->in_gate) {
    return Hold(block, *info);
  }
  // Who has been interrupted copies no more, or not yet: it comes with the guest's mask, or when copying begins.
  Native(Nr::rt_sigprocmask, SIG_BLOCK, &kEverything, nullptr, sizeof(kEverything));
  Requeue(signal, info);
  context->uc_sigmask |= Bit(signal);
  block->shuts_out_fault = true;
}

enum class Vsyscall { kNone, kAnswered, kAnsweredAndLeaves };

Vsyscall HandleVsyscall(ThreadBlock* block, siginfo_t* info, ucontext* context) {
  const FaultsOpen open(block, context);
  if (!AnswerVsyscall(RegsOf(context), info)) return Vsyscall::kNone;
  return CanLeave(block, context) ? Vsyscall::kAnsweredAndLeaves : Vsyscall::kAnswered;
}

}  // namespace

FaultsOpen::FaultsOpen(ThreadBlock* block, const ucontext* context) : block_(block) {
  ClearAlignmentCheck(RegsOf(context)->eflags);
  block->copies = true;
  const SignalSet blocked = context->uc_sigmask | (block->has_temp_mask ? block->temp_mask : 0);
  if ((blocked & kFaults) != 0 || block->shuts_out_fault) {
    block->shuts_out_fault = false;
    Native(Nr::rt_sigprocmask, SIG_UNBLOCK, &kFaults, nullptr, sizeof(kFaults));
  }
}

// Nothing is copied any more; the return from this handler decides, by the guest's mask.
FaultsOpen::~FaultsOpen() {
  block_->copies = false;
  ReleaseFaults(block_);
}

void ReleaseFaults(ThreadBlock* block) {
  for (const int signal : {SIGSEGV, SIGBUS}) {
    const uint32_t index = HeldIndex(signal);
    if (!block->has_held[index]) continue;
    block->has_held[index] = false;
    Native(Nr::rt_sigprocmask, SIG_BLOCK, &kFaults, nullptr, sizeof(kFaults));
    Requeue(signal, &block->held[index]);
  }
}

void OnFault(int signal, siginfo_t* info, ucontext* context) {
  ThreadBlock* const block = BlockOf(context);
  GuestRegs& regs = *RegsOf(context);
  const uint64_t rip = regs.rip;
  const bool faulted = IsFault(info, rip);
  if (faulted) {
    if (const uint64_t fixup = FixupOf(rip)) {
      NoteOwnFault(block, context);
      regs.rip = fixup;
      return;
    }
    uint64_t elsewhere = TrapFor(regs);
    constexpr uint64_t kGeneralProtection = 13;
    if (elsewhere == 0 && context->uc_mcontext.trapno == kGeneralProtection) {
      elsewhere = LandingAhead(rip);
      // Once more: the jump is gone.
      if (elsewhere == rip) {
        NoteOwnFault(block, context);
        return;
      }
    }
    if (elsewhere == 0) elsewhere = Landing(rip);
    if (elsewhere != rip) {
      NoteOwnFault(block, context);
      regs.rip = elsewhere;
      return;
    }
    if (signal == SIGSEGV && IsVsyscall(rip)) {
      NoteOwnFault(block, context);
      const Vsyscall handled = HandleVsyscall(block, info, context);
      if (handled == Vsyscall::kAnsweredAndLeaves) LeaveHandler(block, context, regs.rip);
      if (handled == Vsyscall::kAnswered) return;
    }
  }
  if (!faulted && ReturnBlockedAtTrap(info, context)) return;
  if (!faulted && (KeepInterruption(block, info, context) || KeepForGate(block, info, context))) return;
  ShowLastFault(block, context, faulted);
  const Presented presented = Present(block, context);
  if (presented.in_shim && IsRestorer(rip)) {
    // The kernel refused a frame that the guest had made: FP state that no CPU has. ABI: a bad frame is SIGSEGV.
    DefaultInKernel(SIGSEGV);
    context->uc_sigmask &= ~Bit(SIGSEGV);
    regs.rip = 0;
    return;
  }
  if (presented.in_shim) {
    if (!faulted) return PutOff(block, signal, info, context);
    Panic(wire::PanicKind::kFault, "the shim faulted",
          {.signal = static_cast<uint32_t>(signal),
           .rip = rip - Label(__ehdr_start),
           .rsp = regs.rsp,
           .address = reinterpret_cast<uint64_t>(info->si_addr)});
  }
  const uint64_t handler = Handle(block, signal, info, context, presented, faulted);
  if (handler != 0) LeaveHandler(block, context, handler);
}

}  // namespace guise::shim
