// The guest's signal dispositions, mask and alternate stack: virtual. The kernel holds the shim's.
//
//  1. Where the guest has a handler, the kernel has OnSignal, on the block's stack with everything blocked.
//  2. SIGSEGV and SIGBUS always have OnFault, SIGSYS always OnSigsys (gate/sigsys.h).
//  3. The kernel's mask is the guest's without SIGSYS.
#ifndef GUISE_SHIM_SIGNAL_ACTIONS_H_
#define GUISE_SHIM_SIGNAL_ACTIONS_H_

#include "shim/thread/block.h"

namespace guise::shim {

// What is blocked while the shim's handlers run. Faults stay open for the copy routines.
inline constexpr SignalSet kShimMask = ~(Bit(SIGSEGV) | Bit(SIGBUS));
// In gates that must not be interrupted by anything, and copy nothing.
inline constexpr SignalSet kEverything = ~SignalSet{0};
inline constexpr SignalSet kUnblockable = Bit(SIGKILL) | Bit(SIGSTOP);

// Whose handlers are the shim's own whatever the guest says, rule 2.
constexpr bool IsOurs(int signal) { return signal == SIGSEGV || signal == SIGBUS || signal == SIGSYS; }

inline bool IsHandled(const KernelAction& action) {
  return action.handler != kDefaultAction && action.handler != kIgnore;
}

// Registers the three handlers of rule 2; remembers ignored dispositions that an exec passed on. `inherited` has the
// bits of those of the three that the guest ignores.
int64_t InstallHandlers(ProcessState* process, SignalSet inherited_ignored);

// rt_sigaction(2), rt_sigprocmask(2), sigaltstack(2) of the guest; value or -errno. context: of the site.
int64_t SetAction(ThreadBlock* block, const GuestRegs& regs);
int64_t SetMask(ThreadBlock* block, ucontext* context);
int64_t SetAltStack(ThreadBlock* block, const GuestRegs& regs);
// rt_sigprocmask(2) of a thread in the gate of rewritten sites. False: a signal has come before it, nothing is done.
bool SetMaskInGate(ThreadBlock* block, int64_t* result);
// The same stack for whoever runs at `rsp`; 0 or -errno. ABI: kernel/signal.c, do_sigaltstack(). The flags stay as they
// were asked for: frames show them.
int64_t ChangeAltStack(ThreadBlock* block, const AltStack& wanted, uint64_t rsp);
// The stack of a frame that the guest returns by. ABI: restore_altstack(): what sigaltstack(2) would refuse is not
// taken over.
void TakeAltStack(ThreadBlock* block, const ucontext& frame, uint64_t rsp);
// rt_sigpending(2): the kernel's answer, and what the block holds back.
int64_t PendingSignals(const ThreadBlock* block, const GuestRegs& regs);

// The guest's view of a signal, read without tearing.
KernelAction ActionOf(ProcessState* process, int signal);
// What is to be done with a signal that has come: the same, and with SA_RESETHAND the disposition is reset, so that one
// thread alone runs the handler. A signal of the trampoline's that has its default action meanwhile gets it in the
// kernel too.
KernelAction TakeAction(ProcessState* process, int signal);
// CLONE_CLEAR_SIGHAND: handlers become default, ignored stay. Virtually and in the kernel, for the calling process.
void ClearHandlers(ProcessState* process);

// Before an exec: the kernel keeps ignored signals ignored over it, so those that the shim holds must be what the guest
// asked for. Returns the bits of the three that the guest ignores.
SignalSet IgnoredOfOurs(ProcessState* process);

// For an exec that leaves the session, and after it has failed: what of the three the guest ignores is ignored in the
// kernel too.
void GiveIgnored(ProcessState* process);
void TakeIgnored(ProcessState* process);

// Gives a signal that the shim holds its default action in the kernel.
void DefaultInKernel(int signal);

// ABI: include/linux/sched/signal.h, on_sig_stack() and __on_sig_stack(), which differ in autodisarm.
bool OnAltStack(const AltStack& stack, uint64_t rsp);
bool WithinAltStack(const AltStack& stack, uint64_t rsp);

// Keeps one of the three back that has been sent. ABI: legacy_queue() of kernel/signal.c: of a standard signal the
// first is pending, and others are lost.
inline void Hold(ThreadBlock* block, const siginfo_t& info) {
  const uint32_t index = HeldIndex(info.si_signo);
  if (!block->has_held[index]) block->held[index] = info;
  block->has_held[index] = true;
}
// Opens or closes SIGSYS virtually; one that was held back comes when the handler of the shim returns.
void BlockSigsys(ThreadBlock* block, bool blocked);
// Gives a SIGSYS that is held back to the kernel, where it is pending: for an exec, which keeps what is pending.
void ReleaseSigsys(ThreadBlock* block);

}  // namespace guise::shim

#endif  // GUISE_SHIM_SIGNAL_ACTIONS_H_
