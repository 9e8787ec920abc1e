// The gate of rewritten sites, in C++: calls that take a look but no signal frame. The others are caught as they were
// before.
#include "shim/arch/x86_64/gates.h"
#include "shim/gate/answer.h"
#include "shim/gate/looks.h"
#include "shim/gate/own.h"
#include "shim/gate/published.h"
#include "shim/gate/routes.h"
#include "shim/rewrite/rewrite.h"
#include "shim/signal/actions.h"
#include "shim/signal/fault.h"
#include "shim/signal/leave.h"
#include "shim/thread/clone.h"
#include "shim/thread/records.h"
#include "shim/thread/stub_table.h"
#include "shim/view/fds.h"
#include "shim/view/proc.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint64_t kSiteSize = 2;

void SetKernelMask(int how, SignalSet mask, SignalSet* old) {
  Native(Nr::rt_sigprocmask, how, &mask, old, sizeof(mask));
}

GuestCall AskedOf(const GuestRegs& regs) {
  return {Nr{static_cast<uint32_t>(regs.rax)}, {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9}};
}

// Whether calls are looked at by nobody but the session.
bool IsOpen(const ThreadBlock* block) {
  return block->filters.Acquire() == nullptr && !block->dispatch.on && !block->asked_for_trace;
}

// A blocked fault of a copy would kill, and opening them would let in what others have sent.
bool FaultsKill(const ThreadBlock* block) { return block->blocked_faults != 0; }

// Calls that double or end the thread: the gate is left to another one, with all signals blocked. False: not one of
// them. Not in line: the frame that it makes is large.
[[gnu::noinline]] bool DoubleOrEnd(ThreadBlock* block, const GuestCall& call) {
  const bool ends = call.nr == Nr::exit || call.nr == Nr::exit_group;
  if (!ends && !HasTrait(call, syscall::Trait::CreatesTask)) return false;
  // Faults have to be open for what is copied from the guest.
  const bool copies = call.nr == Nr::clone3;
  // SIGSYS is, on the way out when a signal has come before this.
  constexpr SignalSet kWayOut = kShimMask & ~Bit(SIGSYS);
  ucontext context = {};
  SetKernelMask(SIG_BLOCK, copies ? kWayOut : kEverything, &context.uc_sigmask);
  if (block->has_interruption) {
    if (!copies) SetKernelMask(SIG_SETMASK, context.uc_sigmask | kWayOut, nullptr);
    return true;
  }
  // What others send from here on waits in the block.
  block->copies = copies;
  block->in_gate = false;
  if (copies && block->blocked_faults != 0) SetKernelMask(SIG_UNBLOCK, block->blocked_faults, nullptr);
  const SignalSet mask = context.uc_sigmask;
  GuestRegs& regs = *RegsOf(&context);
  regs = block->regs;
  CountCall(block, wire::Placement::kShim, CurrentEpoch());
  if (ends) {
    Exit(block, &context, call);
    block->leave_to = Label(guise_gate_thread_exit);
    return true;
  }
  const Outcome outcome = StartClone(block, &context, call);
  block->copies = false;
  if (copies) ReleaseFaults(block);
  if (outcome.kind == Outcome::Kind::kDone) {
    block->regs.rax = static_cast<uint64_t>(outcome.value);
    block->leave_to = AfterCall(block->regs.rip);
    block->gate_before = false;
    block->in_gate = true;
    SetKernelMask(SIG_SETMASK, mask, nullptr);
    return true;
  }
  block->tail[0] = regs.rax;
  block->tail[1] = regs.rdi;
  block->tail[2] = regs.rsi;
  block->tail[3] = regs.rbp;
  block->leave_to = Label(guise_gate_clone);
  if (copies) SetKernelMask(SIG_SETMASK, kEverything, nullptr);
  return true;
}

// Of Look::kCaught, those that AnswerCaller of own.cc answers from the block alone. False: not one of them.
bool AnswerFromBlock(ThreadBlock* block, const GuestCall& call, Outcome* outcome) {
  int64_t result = 0;
  switch (call.nr) {
    case Nr::rt_sigprocmask:
      if (!SetMaskInGate(block, &result)) return false;
      break;
    case Nr::rt_sigaction:
      result = SetAction(block, block->regs);
      break;
    case Nr::rt_sigpending:
      if (FaultsKill(block)) return false;
      result = PendingSignals(block, block->regs);
      break;
    case Nr::sigaltstack:
      result = SetAltStack(block, block->regs);
      break;
    default:
      return false;
  }
  *outcome = Outcome::Done(result);
  CountCall(block, wire::Placement::kShim, CurrentEpoch());
  return true;
}

// Whether nothing of the guest's memory is read or written for the call before it is made.
bool CopiesNothing(Nr nr) { return (RouteOf(nr) == Route::kStub && LooksOf(nr).paths == 0) || nr == Nr::madvise; }

// Whether the call has nothing to do with what is the shim's own, as nearly all have.
bool IsPlain(const ThreadBlock* block, Looks looks, const GuestCall& call) {
  return looks.OfNumber() == 0 &&
         !AnyArgument(looks.fds,
                      [&](size_t i) { return IsGuarded(*block->process, static_cast<int32_t>(call.args[i])); }) &&
         !AnyArgument(looks.paths, [&](size_t i) { return MayBeKnown(guise_prefix(call.args[i])); });
}

// By the thread's direct table. False: the page has more to say; also of a fold and an attempt, which stubs make by
// guise_direct_gate where nothing has to be looked at. REQUIRES: the number has a row.
bool AnswerDirectly(const ThreadBlock* block, const GuestCall& call, Outcome* outcome) {
  const uint64_t bits = block->direct.Relaxed()[static_cast<uint32_t>(call.nr)].Relaxed();
  const auto word = __builtin_bit_cast(wire::DirectWord, bits);
  switch (word.way) {
    case wire::DirectWay::kNative:
      break;
    case wire::DirectWay::kValue:
      *outcome = Outcome::Done(word.value);
      break;
    default:
      return false;
  }
  CountDirect(block, word.counter);
  return true;
}

// By the published page. False: the thread has to be caught.
bool AnswerByPage(ThreadBlock* block, const GuestCall& call, Outcome* outcome) {
  const Decision decision = EnterGate(block, call);
  const bool copies = decision.action.verb == wire::ActionVerb::kOverlay;
  const bool here = decision.placement != wire::Placement::kServer && !(FaultsKill(block) && copies);
  if (here) {
    if (decision.action.asks == 0) CountCall(block, decision.placement, decision.epoch);
    if (decision.placement == wire::Placement::kShim) *outcome = Act(block, call, decision);
  }
  LeaveGate(block);
  if (!here || decision.action.asks == 0) return here;
  // What is refused is made once more, on the way to the server.
  if (!Attempt(block, call, decision.action.asks, outcome)) return false;
  CountCall(block, decision.placement, CurrentEpoch());
  return true;
}

// False: the thread has to be caught.
bool AnswerHere(ThreadBlock* block, GuestCall* call, Outcome* outcome) {
  if (!IsOpen(block)) return false;
  const Looks looks = LooksOf(call->nr);
  if (looks.Has(Look::kCaught)) return AnswerFromBlock(block, *call, outcome);
  if (FaultsKill(block) && !CopiesNothing(call->nr)) return false;
  if (block->blocks_sigsys && looks.Has(Look::kMayBlock)) return false;
  if (!IsPlain(block, looks, *call) && AnswerView(block, looks, call, outcome)) return true;
  return AnswerDirectly(block, *call, outcome) || AnswerByPage(block, *call, outcome);
}

}  // namespace
}  // namespace guise::shim

#pragma GCC visibility push(hidden)
extern "C" {

void guise_gate_call(guise::shim::ThreadBlock* block) {
  using namespace guise::shim;  // NOLINT(google-build-using-namespace): the body belongs there
  GuestRegs& regs = block->regs;
  regs.rip = SiteEnd(block->site);
  // As after a real syscall instruction.
  regs.rcx = regs.rip;
  regs.r11 = regs.eflags;
  block->has_temp_mask = false;
  block->ignored_fault = 0;
  GuestCall call = AskedOf(regs);
  Outcome outcome = Outcome::Native();
  block->gate_before = true;
  if (!AnswerHere(block, &call, &outcome)) {
    if (IsOpen(block) && call.nr == Nr::rt_sigreturn && ReturnInGate(block)) return;
    if (IsOpen(block) && DoubleOrEnd(block, call)) return;
    block->leave_to = Label(guise_traps) + kSiteSize * block->site;
    return;
  }
  if (outcome.kind == Outcome::Kind::kNative && !Same(call, AskedOf(regs))) outcome = Outcome::Tail(call);
  MakeHere(block, call, &outcome);
  block->gate_before = outcome.kind != Outcome::Kind::kDone;
  switch (outcome.kind) {
    case Outcome::Kind::kDone:
      regs.rax = static_cast<uint64_t>(outcome.value);
      block->leave_to = TargetOfIndex(block->site);
      return;
    case Outcome::Kind::kTail:
      block->tail[0] = static_cast<uint64_t>(outcome.call.nr);
      for (int i = 0; i < 6; ++i) block->tail[i + 1] = outcome.call.args[i];
      block->leave_to = Label(guise_gate_tail);
      block->resume = TargetOfIndex(block->site);
      return;
    case Outcome::Kind::kNative:
    case Outcome::Kind::kRedirected:
      block->leave_to = StubOfIndex(block->site);
      return;
  }
}
}
#pragma GCC visibility pop
