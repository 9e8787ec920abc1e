#include "shim/signal/deliver.h"

#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/gate/routes.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/rewrite/areas.h"
#include "shim/rewrite/rewrite.h"
#include "shim/signal/actions.h"
#include "shim/signal/fault.h"
#include "shim/signal/fault_words.h"
#include "shim/signal/fp_state.h"
#include "shim/signal/interrupt.h"
#include "shim/signal/leave.h"
#include "shim/signal/present.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint64_t kRedZone = 128;
// ABI: cleared at entry of a handler, arch/x86/kernel/signal_64.c: direction, resume, trap.
constexpr uint64_t kClearedFlags = 0x400 | 0x10000 | 0x100;

bool IsStep(const siginfo_t& info) { return info.si_signo == SIGTRAP && info.si_code == TRAP_TRACE; }

// A guest steps through its own code, by the trap flag, and this is within one of its instructions: a rewritten call,
// or one that the shim makes for it. Natively, too, the next step is that over the instruction behind a call. The flag
// itself is gone behind an instruction that clears it.
bool IsStepWithin(const siginfo_t& info, uint64_t rip) {
  if (!IsStep(info)) return false;
  if (rip >= Label(guise_traps) && rip < Label(guise_traps_end)) return true;
  const StubHead* const head = HeadAt(rip);
  if (!InImage(rip) && head == nullptr) return false;
  // The guest's own instructions, that a jump has displaced.
  if (head != nullptr && rip > CodeOf(head) && rip - CodeOf(head) <= head->ahead) return false;
  // Behind a call no step ends; what comes there has been sent, under this name.
  constexpr uint16_t kSyscall = 0x050f;
  uint16_t before = 0;
  // SAFETY: text of the image or of a stub, and not its first byte.
  memcpy(&before, reinterpret_cast<const char*>(rip) - sizeof(before), sizeof(before));
  return before != kSyscall;
}

// Puts the signal back if it is one of those, and one that comes in spite of that (deliver.h, ReturnBlocked).
bool ReturnIfIn(SignalSet blocked, const siginfo_t* info) {
  constexpr SignalSet kSynchronous = Bit(SIGSEGV) | Bit(SIGBUS) | Bit(SIGILL) | Bit(SIGTRAP) | Bit(SIGFPE);
  const SignalSet bit = Bit(info->si_signo);
  if (info->si_code <= 0 || (bit & kSynchronous & blocked) == 0) return false;
  Native(Nr::rt_sigprocmask, SIG_BLOCK, &bit, nullptr, sizeof(bit));
  Requeue(info->si_signo, info);
  return true;
}

// A signal that has come to the guest. The handler that it enters, when it can be entered from here at once
// (signal/leave.h), or 0.
uint64_t Handle(ThreadBlock* block, int signal, siginfo_t* info, ucontext* context) {
  const FaultsOpen open(block, context);
  if (IsStep(*info) && SiteOfJumpApart(RegsOf(context)->rip) != 0) return 0;
  const uint64_t stopped = RegsOf(context)->rip;
  const Presented presented = Present(block, context);
  if (presented.in_shim) return 0;  // cannot be: everything is blocked there
  // ABI: a step names where it ended, send_sigtrap() of arch/x86/kernel/ptrace.c.
  if (IsStep(*info) && Word(info->si_addr) == stopped) info->si_addr = reinterpret_cast<void*>(RegsOf(context)->rip);
  EndTempMask(block, presented, context);
  const bool enters = !ReturnBlocked(block, info, context) && ApplyDisposition(block, signal, info, context);
  const uint64_t shown = Settle(block, context);
  return enters && CanLeave(block, context) ? shown : 0;
}

// All of the frame that the guest returns by is taken over into the kernel's own frame of this handler, whose return
// then is the guest's. False: it cannot be read.
bool TakeFrame(ThreadBlock* block, ucontext* context) {
  GuestRegs& regs = *RegsOf(context);
  ucontext guest;
  if (!ReadFrame(regs.rsp, &guest)) return false;
  const auto from = reinterpret_cast<uint64_t>(guest.uc_mcontext.fpstate);
  const auto to = reinterpret_cast<uint64_t>(context->uc_mcontext.fpstate);
  if (from == 0) {
    context->uc_mcontext.fpstate = nullptr;
  } else if (to != 0) {
    char head[kFxSize];
    if (!ReadGuest(head, from, sizeof(head))) return false;
    const uint64_t size = FpSize(reinterpret_cast<uint64_t>(head));
    // Larger than this CPU's: not a frame of this process. ABI: check_xstate_in_sigframe() falls back to the first
    // part.
    const uint64_t taken = size <= FpSize(to) ? size : kFxSize;
    if (!ReadGuest(reinterpret_cast<void*>(to), from, taken)) return false;
  }
  const uint64_t handler_rsp = regs.rsp;
  regs = *RegsOf(&guest);
  // Another code segment is how a program enters 32-bit code and leaves it.
  context->uc_mcontext.cs = guest.uc_mcontext.cs;
  context->uc_mcontext.ss = guest.uc_mcontext.ss;
  context->uc_flags = guest.uc_flags;
  BlockSigsys(block, (guest.uc_sigmask & Bit(SIGSYS)) != 0);
  context->uc_sigmask = guest.uc_sigmask & ~(Bit(SIGSYS) | kUnblockable);
  TakeAltStack(block, guest, handler_rsp);
  return true;
}

}  // namespace

bool Deliver(ThreadBlock* block, int signal, const siginfo_t* info, ucontext* context, const KernelAction& action) {
  GuestRegs& regs = *RegsOf(context);
  // The mask that the guest has at this moment is not the one to go back to when a call brought its own.
  SignalSet current = context->uc_sigmask | (block->blocks_sigsys ? Bit(SIGSYS) : 0);
  if (block->has_temp_mask) {
    current = block->temp_mask;
    block->has_temp_mask = false;
  }

  // ABI: arch/x86/kernel/signal.c, get_sigframe().
  const AltStack old_stack = block->alt_stack;
  const bool has_stack = old_stack.size != 0;
  const bool nested = has_stack && OnAltStack(old_stack, regs.rsp);
  uint64_t sp = regs.rsp - kRedZone;
  const bool entering = (action.flags & SA_ONSTACK) != 0 && has_stack && !OnAltStack(old_stack, sp);
  if (entering) sp = old_stack.sp + old_stack.size;

  const auto fpstate = reinterpret_cast<uint64_t>(context->uc_mcontext.fpstate);
  const uint64_t fp_size = fpstate != 0 ? FpSize(fpstate) : 0;
  const uint64_t guest_fpstate = fpstate != 0 ? (sp - fp_size) & ~uint64_t{63} : 0;
  if (fpstate != 0) sp = guest_fpstate;
  sp = ((sp - sizeof(SignalFrame)) & ~uint64_t{15}) - 8;
  // ABI: arch/x86/kernel/signal_64.c, x64_setup_rt_frame(): no restorer, no frame.
  if ((action.flags & SA_RESTORER) == 0) return ForceSegv(block, signal, context);
  // A frame that would leave the alternate stack would lie over whatever is below.
  if ((nested || entering) && !WithinAltStack(old_stack, sp)) return ForceSegv(block, signal, context);
  if (fpstate != 0 && !WriteGuest(guest_fpstate, reinterpret_cast<const void*>(fpstate), fp_size)) {
    return ForceSegv(block, signal, context);
  }

  if (fpstate != 0) block->fp_software = SoftwareBytesOf(fpstate);

  SignalFrame frame = {};
  frame.return_address = action.restorer;
  frame.context = *context;
  frame.context.uc_link = nullptr;
  memcpy(&frame.context.uc_stack, &old_stack, sizeof(old_stack));
  frame.context.uc_mcontext.fpstate = reinterpret_cast<_fpstate*>(guest_fpstate);
  if (block->blocks_sigsys) frame.context.uc_sigmask |= Bit(SIGSYS);
  // ABI: setup_sigcontext().
  frame.context.uc_mcontext.oldmask = frame.context.uc_sigmask;
  frame.info = *info;
  if (!WriteGuest(sp, frame)) return ForceSegv(block, signal, context);
  if ((static_cast<uint32_t>(old_stack.flags) & SS_AUTODISARM) != 0) block->alt_stack = kNoAltStack;

  SignalSet handler_mask = current | action.mask;
  if ((action.flags & SA_NODEFER) == 0) handler_mask |= Bit(signal);
  BlockSigsys(block, (handler_mask & Bit(SIGSYS)) != 0);
  context->uc_sigmask = handler_mask & ~(Bit(SIGSYS) | kUnblockable);
  // ABI: a handler starts with cleared FP state, fpu__clear_user_states(); a frame without one says so.
  context->uc_mcontext.fpstate = nullptr;
  regs.rip = action.handler;
  // Handlers are 64-bit code whatever they interrupt, and have a stack segment. ABI: without the flag, a return to
  // 64-bit code replaces one that is none, as the start of a handler does, force_valid_ss().
  context->uc_mcontext.cs = kUserCode;
  context->uc_flags &= ~uint64_t{UC_STRICT_RESTORE_SS};
  regs.rsp = sp;
  regs.rdi = static_cast<uint64_t>(signal);
  regs.rsi = sp + offsetof(SignalFrame, info);
  regs.rdx = sp + offsetof(SignalFrame, context);
  regs.rax = 0;
  regs.eflags &= ~kClearedFlags;
  return true;
}

void OnSignal(int signal, siginfo_t* info, ucontext* context) {
  ThreadBlock* const block = BlockOf(context);
  if (IsStepWithin(*info, RegsOf(context)->rip) || ReturnBlockedAtTrap(info, context)) return;
  if (KeepInterruption(block, info, context) || KeepForGate(block, info, context)) return;
  ShowLastFault(block, context, false);
  const uint64_t handler = Handle(block, signal, info, context);
  if (handler != 0) LeaveHandler(block, context, handler);
}

uint64_t Settle(ThreadBlock* block, ucontext* context) {
  GuestRegs& regs = *RegsOf(context);
  const uint64_t shown = regs.rip;
  regs.rip = Landing(shown);
  if (!block->blocks_sigsys) ReleaseSigsys(block);
  block->blocked_faults = context->uc_sigmask & kFaults;
  UpdateRoutes(block);
  return shown;
}

bool ApplyDisposition(ThreadBlock* block, int signal, const siginfo_t* info, ucontext* context) {
  const KernelAction action = TakeAction(block->process, signal);
  if (action.handler == kIgnore) return false;
  if (action.handler != kDefaultAction) return Deliver(block, signal, info, context, action);
  // The default action, by the kernel, after this handler.
  if (IsOurs(signal)) DefaultInKernel(signal);
  Requeue(signal, info);
  return false;
}

void Requeue(int signal, const siginfo_t* info) {
  Native(Nr::rt_tgsigqueueinfo, Native(Nr::getpid), Native(Nr::gettid), signal, info);
}

bool ReturnBlocked(ThreadBlock* block, const siginfo_t* info, const ucontext* context) {
  return ReturnIfIn(block->has_temp_mask ? block->temp_mask : context->uc_sigmask, info);
}

bool ReturnBlockedAtTrap(const siginfo_t* info, const ucontext* context) {
  const uint64_t rip = RegsOf(context)->rip;
  if (rip <= Label(guise_traps) || rip > Label(guise_traps_end)) return false;
  return ReturnIfIn(context->uc_sigmask, info);
}

bool ForceSegv(ThreadBlock* block, int signal, ucontext* context) {
  siginfo_t info = {};
  info.si_signo = SIGSEGV;
  info.si_code = SI_KERNEL;
  const KernelAction action = TakeAction(block->process, SIGSEGV);
  if (signal != SIGSEGV && IsHandled(action) && (context->uc_sigmask & Bit(SIGSEGV)) == 0) {
    return Deliver(block, SIGSEGV, &info, context, action);
  }
  DefaultInKernel(SIGSEGV);
  context->uc_sigmask &= ~Bit(SIGSEGV);
  Requeue(SIGSEGV, &info);
  return false;
}

void ReturnFromSignal(ThreadBlock* block, ucontext* context) {
  if (!TakeFrame(block, context)) ForceSegv(block, 0, context);
}

}  // namespace guise::shim
