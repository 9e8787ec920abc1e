#include "shim/signal/deliver.h"

#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/signal/actions.h"
#include "shim/signal/fault.h"
#include "shim/signal/present.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint64_t kRedZone = 128;
// ABI: arch/x86/include/uapi/asm/sigcontext.h, fpx_sw_bytes: magic, size of the whole, in the last bytes of the 512.
constexpr uint64_t kFxSize = 512;
constexpr uint64_t kSoftwareBytes = 464;
// ABI: cleared at entry of a handler, arch/x86/kernel/signal_64.c: direction, resume, trap.
constexpr uint64_t kClearedFlags = 0x400 | 0x10000 | 0x100;

uint64_t FpSize(uint64_t fpstate) {
  _fpx_sw_bytes software;
  memcpy(&software, reinterpret_cast<const char*>(fpstate) + kSoftwareBytes, sizeof(software));
  return software.magic1 == FP_XSTATE_MAGIC1 ? software.extended_size : kFxSize;
}

// The guest's stack cannot take the frame. ABI: force_sigsegv(): the default action of SIGSEGV, whatever it was.
void KillBySegv(ucontext* context) {
  DefaultInKernel(SIGSEGV);
  context->uc_sigmask &= ~Bit(SIGSEGV);
  // No instruction can be fetched from there: the fault comes at once, in guest context.
  RegsOf(context)->rip = 0;
  Native(Nr::tgkill, Native(Nr::getpid), Native(Nr::gettid), SIGSEGV);
}

}  // namespace

void Deliver(ThreadBlock* block, int signal, const siginfo_t* info, ucontext* context, const KernelAction& action) {
  GuestRegs& regs = *RegsOf(context);
  // The mask that the guest has at this moment is not the one to go back to when a call brought its own.
  SignalSet current = context->uc_sigmask;
  if (block->has_temp_mask) {
    current = block->temp_mask & ~Bit(SIGSYS);
    block->has_temp_mask = false;
  }

  const AltStack old_stack = block->alt_stack;
  const bool use_alt = (action.flags & SA_ONSTACK) != 0 && old_stack.size != 0 && !OnAltStack(old_stack, regs.rsp);
  uint64_t sp = use_alt ? old_stack.sp + old_stack.size : regs.rsp - kRedZone;

  const auto fpstate = reinterpret_cast<uint64_t>(context->uc_mcontext.fpstate);
  uint64_t guest_fpstate = 0;
  if (fpstate != 0) {
    const uint64_t size = FpSize(fpstate);
    sp = guest_fpstate = (sp - size) & ~uint64_t{63};
    if (!WriteGuest(guest_fpstate, reinterpret_cast<const void*>(fpstate), size)) return KillBySegv(context);
  }
  sp = ((sp - sizeof(SignalFrame)) & ~uint64_t{15}) - 8;

  SignalFrame frame = {};
  frame.return_address = action.restorer;
  frame.context = *context;
  frame.context.uc_link = nullptr;
  AltStack shown = old_stack;
  shown.flags |= static_cast<int32_t>(old_stack.size == 0 ? 0 : OnAltStack(old_stack, regs.rsp) ? SS_ONSTACK : 0);
  memcpy(&frame.context.uc_stack, &shown, sizeof(shown));
  frame.context.uc_mcontext.fpstate = reinterpret_cast<_fpstate*>(guest_fpstate);
  if (block->blocks_sigsys) frame.context.uc_sigmask |= Bit(SIGSYS);
  frame.info = *info;
  if (!WriteGuest(sp, frame)) return KillBySegv(context);
  if ((static_cast<uint32_t>(old_stack.flags) & SS_AUTODISARM) != 0) block->alt_stack = {};

  if ((action.flags & SA_RESETHAND) != 0) ResetAction(block->process, signal);
  SignalSet handler_mask = current | action.mask;
  if ((action.flags & SA_NODEFER) == 0) handler_mask |= Bit(signal);
  if ((handler_mask & Bit(SIGSYS)) != 0) block->blocks_sigsys = true;
  context->uc_sigmask = handler_mask & ~(Bit(SIGSYS) | kUnblockable);
  // ABI: a handler starts with cleared FP state, fpu__clear_user_states(); a frame without one says so.
  context->uc_mcontext.fpstate = nullptr;
  regs.rip = action.handler;
  regs.rsp = sp;
  regs.rdi = static_cast<uint64_t>(signal);
  regs.rsi = sp + offsetof(SignalFrame, info);
  regs.rdx = sp + offsetof(SignalFrame, context);
  regs.rax = 0;
  regs.eflags &= ~kClearedFlags;
}

void OnSignal(int signal, siginfo_t* info, ucontext* context) {
  ThreadBlock* const block = BlockOf(context);
  const FaultsOpen open(context);
  const Presented presented = Present(block, context);
  if (presented.in_shim) return;  // cannot be: everything is blocked there
  // A call with a mask of its own that was not interrupted has put the old mask back already.
  if (!presented.after_call || static_cast<int64_t>(RegsOf(context)->rax) != -EINTR) block->has_temp_mask = false;
  const KernelAction action = ActionOf(block->process, signal);
  if (action.handler == kIgnore) return;
  if (action.handler == kDefaultAction) {
    // Another thread has just reset it: the default action, by the kernel, after this handler.
    Native(Nr::rt_tgsigqueueinfo, Native(Nr::getpid), Native(Nr::gettid), signal, info);
    return;
  }
  Deliver(block, signal, info, context, action);
}

void ReturnFromSignal(ThreadBlock* block, ucontext* context) {
  GuestRegs& regs = *RegsOf(context);
  const uint64_t frame = regs.rsp - 8;
  const uint64_t stack_at = frame + offsetof(SignalFrame, context) + offsetof(ucontext, uc_stack);
  const uint64_t mask_at = frame + offsetof(SignalFrame, context) + offsetof(ucontext, uc_sigmask);
  AltStack stack;
  SignalSet mask;
  if (ReadGuest(&stack, stack_at) && ReadGuest(&mask, mask_at)) {
    const AltStack ours = {reinterpret_cast<uint64_t>(block), 0, 0, kBlockSize};
    const SignalSet kernel_mask = mask & ~Bit(SIGSYS);
    if (WriteGuest(stack_at, ours) && WriteGuest(mask_at, kernel_mask)) {
      block->blocks_sigsys = (mask & Bit(SIGSYS)) != 0;
      // ABI: restore_altstack(): an unusable one is ignored.
      const uint32_t mode = static_cast<uint32_t>(stack.flags) & ~SS_AUTODISARM;
      if (mode == SS_DISABLE || stack.size == 0) {
        block->alt_stack = {};
      } else if (mode == 0 || mode == SS_ONSTACK) {
        block->alt_stack = {stack.sp, static_cast<int32_t>(static_cast<uint32_t>(stack.flags) & SS_AUTODISARM), 0,
                            stack.size};
      }
    }
  }
  // A bad frame: the kernel finds it so itself and kills.
  regs.rip = Label(guise_restorer);
  context->uc_sigmask = kShimMask;
}

}  // namespace guise::shim
