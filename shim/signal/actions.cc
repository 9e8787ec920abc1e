#include "shim/signal/actions.h"

#include <initializer_list>

#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/gate/sigsys.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/signal/deliver.h"
#include "shim/signal/fault.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

namespace guise::shim {
namespace {

using syscall::Nr;

// ABI: flags that mean something to the kernel when one of its own (default, ignore) dispositions is set, or that act
// before a handler runs.
constexpr uint64_t kPassedFlags = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_RESTART;
constexpr uint64_t kHandlerFlags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER;

using Handler = void (*)(int, siginfo_t*, ucontext*);

int64_t KernelSet(int signal, const KernelAction& action, KernelAction* old) {
  return Native(Nr::rt_sigaction, signal, &action, old, sizeof(SignalSet));
}

int64_t Register(int signal, Handler handler, uint64_t flags, KernelAction* old) {
  const KernelAction action = {reinterpret_cast<uint64_t>(handler), kHandlerFlags | flags, Label(guise_restorer),
                               kShimMask};
  return KernelSet(signal, action, old);
}

bool IsOurs(int signal) { return signal == SIGSEGV || signal == SIGBUS || signal == SIGSYS; }

void Store(Disposition& disposition, const KernelAction& action) {
  // Writers of one process may race as they may natively; the sequence keeps readers from torn ones.
  uint32_t sequence;
  do {
    sequence = disposition.sequence.Acquire() & ~1u;
  } while (!disposition.sequence.CompareSwap(sequence, sequence + 1));
  disposition.action = action;
  disposition.known = true;
  disposition.sequence.Release(sequence + 2);
}

bool Known(const Disposition& disposition) { return __atomic_load_n(&disposition.known, __ATOMIC_RELAXED); }

}  // namespace

int64_t InstallHandlers(ProcessState* process, SignalSet inherited_ignored) {
  for (const int signal : {SIGSYS, SIGSEGV, SIGBUS}) {
    KernelAction old = {};
    const int64_t set = Register(signal, signal == SIGSYS ? OnSigsys : OnFault, SA_NODEFER, &old);
    if (IsError(set)) return set;
    KernelAction guest = {};
    guest.handler = (inherited_ignored & Bit(signal)) != 0 || old.handler == kIgnore ? kIgnore : kDefaultAction;
    Store(process->dispositions[signal], guest);
  }
  return 0;
}

KernelAction ActionOf(ProcessState* process, int signal) {
  Disposition& disposition = process->dispositions[signal];
  if (!Known(disposition)) {
    KernelAction action = {};
    Native(Nr::rt_sigaction, signal, nullptr, &action, sizeof(SignalSet));
    return action;
  }
  while (true) {
    const uint32_t before = disposition.sequence.Acquire();
    const KernelAction action = disposition.action;
    wire::AcquireFence();
    if ((before & 1) == 0 && disposition.sequence.Relaxed() == before) return action;
    __builtin_ia32_pause();
  }
}

int64_t SetAction(ProcessState* process, const GuestRegs& regs) {
  const auto signal = static_cast<int>(regs.rdi);
  if (regs.r10 != sizeof(SignalSet)) return -EINVAL;
  KernelAction action = {};
  if (regs.rsi != 0 && !ReadGuest(&action, regs.rsi)) return -EFAULT;
  if (signal < 1 || signal > kSignals) return -EINVAL;
  if (regs.rsi != 0 && (kUnblockable & Bit(signal)) != 0) return -EINVAL;
  const KernelAction old = ActionOf(process, signal);
  if (regs.rsi != 0) {
    action.mask &= ~kUnblockable;
    Store(process->dispositions[signal], action);
    if (!IsOurs(signal)) {
      const bool handled = action.handler != kDefaultAction && action.handler != kIgnore;
      const uint64_t flags = action.flags & kPassedFlags;
      const int64_t set = handled ? Register(signal, OnSignal, flags, nullptr)
                                  : KernelSet(signal, {action.handler, flags, 0, 0}, nullptr);
      if (IsError(set)) return set;
    }
  }
  if (regs.rdx != 0 && !WriteGuest(regs.rdx, old)) return -EFAULT;
  return 0;
}

int64_t SetMask(ThreadBlock* block, ucontext* context) {
  const GuestRegs& regs = *RegsOf(context);
  if (regs.r10 != sizeof(SignalSet)) return -EINVAL;
  const SignalSet old = context->uc_sigmask | (block->blocks_sigsys ? Bit(SIGSYS) : 0);
  if (regs.rsi != 0) {
    SignalSet set = 0;
    if (!ReadGuest(&set, regs.rsi)) return -EFAULT;
    set &= ~kUnblockable;
    SignalSet now = old;
    switch (static_cast<int>(regs.rdi)) {
      case SIG_BLOCK:
        now |= set;
        break;
      case SIG_UNBLOCK:
        now &= ~set;
        break;
      case SIG_SETMASK:
        now = set;
        break;
      default:
        return -EINVAL;
    }
    block->blocks_sigsys = (now & Bit(SIGSYS)) != 0;
    context->uc_sigmask = now & ~Bit(SIGSYS);
  }
  if (regs.rdx != 0 && !WriteGuest(regs.rdx, old)) return -EFAULT;
  return 0;
}

bool OnAltStack(const AltStack& stack, uint64_t rsp) {
  // ABI: include/linux/sched/signal.h, on_sig_stack(): never so while autodisarm is on.
  if ((static_cast<uint32_t>(stack.flags) & SS_AUTODISARM) != 0) return false;
  return rsp > stack.sp && rsp - stack.sp <= stack.size;
}

int64_t SetAltStack(ThreadBlock* block, const GuestRegs& regs) {
  // ABI: kernel/signal.c, do_sigaltstack().
  AltStack wanted = {};
  if (regs.rdi != 0 && !ReadGuest(&wanted, regs.rdi)) return -EFAULT;
  AltStack old = block->alt_stack;
  const bool on_it = old.size != 0 && OnAltStack(old, regs.rsp);
  old.flags = static_cast<int32_t>((old.size == 0 ? SS_DISABLE
                                    : on_it       ? SS_ONSTACK
                                                  : 0) |
                                   (static_cast<uint32_t>(old.flags) & SS_AUTODISARM));
  if (regs.rdi != 0) {
    if (on_it) return -EPERM;
    const uint32_t mode = static_cast<uint32_t>(wanted.flags) & ~SS_AUTODISARM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0) return -EINVAL;
    constexpr uint64_t kSmallest = 2048;  // MINSIGSTKSZ of x86_64
    if (mode == SS_DISABLE) {
      block->alt_stack = {0, static_cast<int32_t>(static_cast<uint32_t>(wanted.flags) & SS_AUTODISARM), 0, 0};
    } else {
      if (wanted.size < kSmallest) return -ENOMEM;
      block->alt_stack = {wanted.sp, static_cast<int32_t>(static_cast<uint32_t>(wanted.flags) & SS_AUTODISARM), 0,
                          wanted.size};
    }
  }
  if (regs.rsi != 0 && !WriteGuest(regs.rsi, old)) return -EFAULT;
  return 0;
}

void ResetAction(ProcessState* process, int signal) {
  KernelAction action = ActionOf(process, signal);
  action.handler = kDefaultAction;
  Store(process->dispositions[signal], action);
  if (!IsOurs(signal)) KernelSet(signal, {kDefaultAction, action.flags & kPassedFlags, 0, 0}, nullptr);
}

void ClearHandlers(ProcessState* process) {
  for (int signal = 1; signal <= kSignals; ++signal) {
    if ((kUnblockable & Bit(signal)) != 0) continue;
    Disposition& disposition = process->dispositions[signal];
    if (!Known(disposition)) continue;
    if (disposition.action.handler == kIgnore || disposition.action.handler == kDefaultAction) continue;
    Store(disposition, {});
    if (!IsOurs(signal)) DefaultInKernel(signal);
  }
}

SignalSet IgnoredOfOurs(ProcessState* process) {
  SignalSet ignored = 0;
  for (const int signal : {SIGSYS, SIGSEGV, SIGBUS}) {
    if (ActionOf(process, signal).handler == kIgnore) ignored |= Bit(signal);
  }
  return ignored;
}

void DefaultInKernel(int signal) { KernelSet(signal, {}, nullptr); }

}  // namespace guise::shim
