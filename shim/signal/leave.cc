#include "shim/signal/leave.h"

#include "shim/arch/x86_64/gates.h"
#include "shim/gate/published.h"
#include "shim/gate/routes.h"
#include "shim/guest_memory.h"
#include "shim/rewrite/rewrite.h"
#include "shim/signal/actions.h"
#include "shim/signal/fault.h"
#include "shim/signal/fp_state.h"
#include "shim/thread/records.h"

namespace guise::shim {
namespace {

constexpr uint64_t kTrapFlag = 0x100;
// ABI: arch/x86/include/asm/sighandling.h, FIX_EFLAGS: what a frame may change: alignment check, overflow, direction,
// sign, zero, adjust, parity, carry; and trap, which is not set in a frame that comes here, but may be in a handler
// that steps itself; and resume, which no instruction of user mode sets.
constexpr uint64_t kFrameFlags = 0x40000 | 0x800 | 0x400 | kTrapFlag | 0x80 | 0x40 | 0x10 | 0x4 | 0x1;

bool IsPlain(const ucontext& context) {
  const GuestRegs& regs = *RegsOf(&context);
  return context.uc_mcontext.cs == kUserCode && context.uc_mcontext.ss == kUserData && regs.rip < kTaskEnd &&
         (regs.eflags & kTrapFlag) == 0;
}

uint64_t FpOf(const ucontext& context) { return reinterpret_cast<uint64_t>(context.uc_mcontext.fpstate); }

}  // namespace

bool CanLeave(const ThreadBlock* block, const ucontext* context) {
  return block->cookie != 0 && HoldsGs(block) && IsPlain(*context) &&
         (FpOf(*context) == 0 || IsExtended(SoftwareBytesOf(FpOf(*context))));
}

void LeaveHandler(ThreadBlock* block, const ucontext* context, uint64_t shown) {
  // Without a frame the state is what it was when this handler began: cleared.
  if (FpOf(*context) != 0) LoadKernelFp(FpOf(*context));
  block->regs = *RegsOf(context);
  block->resume = block->regs.rip;
  block->regs.rip = shown;
  block->mask = context->uc_sigmask;
  guise_return_gate(block);
}

bool ReturnInGate(ThreadBlock* block) {
  if (block->blocked_faults != 0 || block->blocks_sigsys) return false;
  GuestRegs& regs = block->regs;
  const uint64_t handler_rsp = regs.rsp;
  ucontext guest;
  if (!ReadFrame(handler_rsp, &guest) || !IsPlain(guest)) return false;
  // What the shim keeps of a mask changes with a caught thread.
  if ((guest.uc_sigmask & (kFaults | Bit(SIGSYS))) != 0) return false;
  if (!LoadGuestFp(FpOf(guest), block->fp_software)) return false;
  const SignalSet mask = guest.uc_sigmask & ~kUnblockable;
  // A signal comes before the call: it will be made again, and load the state again.
  if (guise_mask_gate(SIG_SETMASK, &mask, 0, block) == -EINTR) return true;
  CountCall(block, wire::Placement::kShim, CurrentEpoch());
  TakeAltStack(block, guest, handler_rsp);
  const uint64_t flags = regs.eflags;
  regs = *RegsOf(&guest);
  regs.eflags = (flags & ~kFrameFlags) | (regs.eflags & kFrameFlags);
  block->resume = Landing(regs.rip);
  block->gate_before = false;
  block->leave_to = Label(guise_gate_return);
  return true;
}

}  // namespace guise::shim
