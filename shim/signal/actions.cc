#include "shim/signal/actions.h"

#include <initializer_list>

#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/gate/routes.h"
#include "shim/gate/sigsys.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/signal/deliver.h"
#include "shim/signal/fault.h"
#include "shim/signal/stack_size.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::Cell;

// ABI: flags that mean something to the kernel when one of its own (default, ignore) dispositions is set, or that act
// before a handler runs.
constexpr uint64_t kPassedFlags = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_RESTART;
constexpr uint64_t kHandlerFlags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER;

using Handler = void (*)(int, siginfo_t*, ucontext*);

int64_t KernelSet(int signal, const KernelAction* action, KernelAction* old) {
  return Native(Nr::rt_sigaction, signal, action, old, sizeof(SignalSet));
}
int64_t KernelSet(int signal, const KernelAction& action) { return KernelSet(signal, &action, nullptr); }

int64_t Register(int signal, Handler handler, uint64_t flags, KernelAction* old = nullptr) {
  const KernelAction action = {reinterpret_cast<uint64_t>(handler), kHandlerFlags | flags, Label(guise_restorer),
                               kShimMask};
  return KernelSet(signal, &action, old);
}

// Excludes other writers of one signal's disposition, so that what is virtual and what the kernel has change as one.
class Locked {
 public:
  Locked(ProcessState* process, int signal)
      : locked_(process->locked), bit_(Bit(signal)), disposition_(process->dispositions[signal]) {
    constexpr uint32_t kSpins = 100;
    for (uint32_t round = 1;; ++round) {
      const SignalSet seen = locked_.Relaxed();
      if ((seen & bit_) == 0 && locked_.CompareSwap(seen, seen | bit_)) break;
      // The writer may be preempted, with a lower priority than this thread's.
      if (round % kSpins == 0) Native(Nr::sched_yield);
      __builtin_ia32_pause();
    }
  }
  ~Locked() { locked_.Add(-bit_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

  const KernelAction& action() const { return disposition_.actions[disposition_.sequence.Relaxed() & 1]; }
  bool known() const { return disposition_.sequence.Relaxed() != 0; }
  void Store(const KernelAction& action) {
    const uint32_t next = disposition_.sequence.Relaxed() + 1;
    disposition_.actions[next & 1] = action;
    // 0 means never asked.
    disposition_.sequence.Release(next != 0 ? next : 2);
  }

 private:
  Cell<uint64_t>& locked_;
  const SignalSet bit_;
  Disposition& disposition_;
};

// One of the shim's own. What somebody sends interrupts calls as the guest's action would have it.
int64_t RegisterOwn(int signal, const KernelAction& guest, KernelAction* old = nullptr) {
  const bool restarts = guest.handler == kIgnore || (guest.flags & SA_RESTART) != 0;
  return Register(signal, signal == SIGSYS ? OnSigsys : OnFault, SA_NODEFER | (restarts ? SA_RESTART : 0), old);
}

// One of the shim's own that the guest begins to ignore is not pending any more. ABI: do_sigaction() of
// kernel/signal.c; what other threads hold back stays. A standard signal is pending at most once for the thread and
// once for the process.
void Discard(ThreadBlock* block, int signal) {
  constexpr timespec kNow = {};
  const SignalSet set = Bit(signal);
  block->has_held[HeldIndex(signal)] = false;
  for (int round = 0; round < 2; ++round) Native(Nr::rt_sigtimedwait, &set, nullptr, &kNow, sizeof(set));
}

// Copies for a thread in the gate that may have faults blocked, which a bad pointer must not meet: the kernel is made
// to look at the pointer first, at both ends. REQUIRES: objects of eight bytes and more, none larger than a page.
bool MustAsk(const ThreadBlock* block) { return block->in_gate && block->blocked_faults != 0; }

// ABI: rt_sigprocmask of kernel/signal.c: the set is read before the way of changing the mask is looked at.
bool MayRead(uint64_t at) {
  constexpr int kNoWay = -1;
  return Native(Nr::rt_sigprocmask, kNoWay, at, nullptr, sizeof(SignalSet)) != -EFAULT;
}
// Leaves something else there.
bool MayWrite(uint64_t at) { return !IsError(Native(Nr::rt_sigprocmask, SIG_BLOCK, nullptr, at, sizeof(SignalSet))); }

template <typename T>
bool ReadAsked(const ThreadBlock* block, T* to, uint64_t at) {
  const uint64_t last = at + sizeof(T) - sizeof(SignalSet);
  if (MustAsk(block) && !(MayRead(at) && (last == at || MayRead(last)))) return false;
  return ReadGuest(to, at);
}
template <typename T>
bool WriteAsked(const ThreadBlock* block, uint64_t at, const T& from) {
  const uint64_t last = at + sizeof(T) - sizeof(SignalSet);
  if (MustAsk(block) && !(MayWrite(at) && (last == at || MayWrite(last)))) return false;
  return WriteGuest(at, from);
}

// ABI: UAPI_SA_FLAGS; unknown flags are cleared, so that programs can tell what is supported.
constexpr uint64_t kKnownFlags =
    kPassedFlags | kHandlerFlags | SA_NODEFER | SA_RESETHAND | 0x800 /* SA_EXPOSE_TAGBITS */;

}  // namespace

int64_t InstallHandlers(ProcessState* process, SignalSet inherited_ignored) {
  for (const int signal : {SIGSYS, SIGSEGV, SIGBUS}) {
    // ABI: flush_signal_handlers() of kernel/signal.c: behind an exec a signal has its default, or is ignored.
    KernelAction guest = {};
    if ((inherited_ignored & Bit(signal)) != 0) guest.handler = kIgnore;
    KernelAction old = {};
    if (const int64_t set = RegisterOwn(signal, guest, &old); IsError(set)) return set;
    if (old.handler == kIgnore && guest.handler != kIgnore) {
      guest.handler = kIgnore;
      if (const int64_t set = RegisterOwn(signal, guest); IsError(set)) return set;
    }
    Locked(process, signal).Store(guest);
  }
  return 0;
}

KernelAction ActionOf(ProcessState* process, int signal) {
  const Disposition& disposition = process->dispositions[signal];
  while (true) {
    const uint32_t before = disposition.sequence.Acquire();
    if (before == 0) {
      KernelAction action = {};
      Native(Nr::rt_sigaction, signal, nullptr, &action, sizeof(SignalSet));
      return action;
    }
    const KernelAction action = disposition.actions[before & 1];
    wire::AcquireFence();
    if (disposition.sequence.Relaxed() == before) return action;
  }
}

int64_t SetAction(ThreadBlock* block, const GuestRegs& regs) {
  ProcessState* const process = block->process;
  const auto signal = static_cast<int>(regs.rdi);
  if (regs.r10 != sizeof(SignalSet)) return -EINVAL;
  KernelAction action = {};
  if (regs.rsi != 0 && !ReadAsked(block, &action, regs.rsi)) return -EFAULT;
  if (signal < 1 || signal > kSignals) return -EINVAL;
  if (regs.rsi != 0 && (kUnblockable & Bit(signal)) != 0) return -EINVAL;
  KernelAction old = {};
  if (regs.rsi == 0) {
    old = ActionOf(process, signal);
  } else {
    action.mask &= ~kUnblockable;
    action.flags &= kKnownFlags;
    Locked locked(process, signal);
    const bool known = locked.known();
    if (known) old = locked.action();
    // A handler is known before the kernel calls the trampoline for it; and one that goes is known until it does not.
    if (IsHandled(action)) locked.Store(action);
    const uint64_t flags = action.flags & kPassedFlags;
    const KernelAction unhandled = {action.handler, flags, 0, 0};
    KernelAction kernels = {};
    const int64_t set = IsOurs(signal)      ? RegisterOwn(signal, action)
                        : IsHandled(action) ? Register(signal, OnSignal, flags, &kernels)
                                            : KernelSet(signal, &unhandled, &kernels);
    if (IsError(set)) return set;
    if (!known) old = kernels;
    if (!IsHandled(action)) locked.Store(action);
    if (IsOurs(signal) && action.handler == kIgnore) Discard(block, signal);
  }
  if (regs.rdx != 0 && !WriteAsked(block, regs.rdx, old)) return -EFAULT;
  return 0;
}

int64_t PendingSignals(const ThreadBlock* block, const GuestRegs& regs) {
  if (regs.rsi > sizeof(SignalSet)) return -EINVAL;
  SignalSet pending = 0;
  Native(Nr::rt_sigpending, &pending, sizeof(pending));
  for (const int signal : {SIGSYS, SIGSEGV, SIGBUS}) {
    if (block->has_held[HeldIndex(signal)]) pending |= Bit(signal);
  }
  return WriteGuest(regs.rdi, &pending, regs.rsi) ? 0 : -EFAULT;
}

void BlockSigsys(ThreadBlock* block, bool blocked) {
  block->blocks_sigsys = blocked;
  if (!blocked) ReleaseSigsys(block);
}

void ReleaseSigsys(ThreadBlock* block) {
  constexpr uint32_t kIndex = HeldIndex(SIGSYS);
  if (!block->has_held[kIndex]) return;
  block->has_held[kIndex] = false;
  Requeue(SIGSYS, &block->held[kIndex]);
}

namespace {

// False: no such way of changing a mask.
bool ApplyMask(int how, SignalSet set, SignalSet* mask) {
  set &= ~kUnblockable;
  switch (how) {
    case SIG_BLOCK:
      *mask |= set;
      return true;
    case SIG_UNBLOCK:
      *mask &= ~set;
      return true;
    case SIG_SETMASK:
      *mask = set;
      return true;
    default:
      return false;
  }
}

}  // namespace

int64_t SetMask(ThreadBlock* block, ucontext* context) {
  const GuestRegs& regs = *RegsOf(context);
  if (regs.r10 != sizeof(SignalSet)) return -EINVAL;
  const SignalSet old = context->uc_sigmask | (block->blocks_sigsys ? Bit(SIGSYS) : 0);
  if (regs.rsi != 0) {
    SignalSet set = 0;
    SignalSet now = old;
    if (!ReadGuest(&set, regs.rsi)) return -EFAULT;
    if (!ApplyMask(static_cast<int>(regs.rdi), set, &now)) return -EINVAL;
    BlockSigsys(block, (now & Bit(SIGSYS)) != 0);
    context->uc_sigmask = now & ~Bit(SIGSYS);
  }
  if (regs.rdx != 0 && !WriteGuest(regs.rdx, old)) return -EFAULT;
  return 0;
}

namespace {

// With one system call. False: a signal came before it. REQUIRES: the guest blocks neither faults nor SIGSYS.
bool SetOpenMask(ThreadBlock* block, int64_t* result) {
  const GuestRegs& regs = block->regs;
  SignalSet set = 0;
  SignalSet watched = 0;  // what the block keeps of the mask
  *result = regs.r10 == sizeof(SignalSet) ? 0 : -EINVAL;
  if (*result == 0 && regs.rsi != 0 && !ReadGuest(&set, regs.rsi)) *result = -EFAULT;
  if (*result == 0 && regs.rsi != 0 && !ApplyMask(static_cast<int>(regs.rdi), set, &watched)) *result = -EINVAL;
  if (*result != 0) return true;
  const SignalSet kernel = set & ~Bit(SIGSYS);
  block->blocked_faults = watched & kFaults;
  *result = guise_mask_gate(regs.rdi, regs.rsi == 0 ? nullptr : &kernel, regs.rdx, block);
  if (*result == -EINTR) {
    block->blocked_faults = 0;
    return false;
  }
  // ABI: -EFAULT of the old mask leaves the new one in force, rt_sigprocmask of kernel/signal.c.
  if ((watched & Bit(SIGSYS)) != 0) {
    BlockSigsys(block, true);
    UpdateRoutes(block);
  }
  return true;
}

}  // namespace

bool SetMaskInGate(ThreadBlock* block, int64_t* result) {
  if (block->blocked_faults == 0 && !block->blocks_sigsys) return SetOpenMask(block, result);
  const GuestRegs& regs = block->regs;
  // Nothing comes meanwhile; but for SIGSYS, by which the thread leaves when something has come before.
  const SignalSet shut = kShimMask & ~Bit(SIGSYS);
  SignalSet kernel = 0;
  Native(Nr::rt_sigprocmask, SIG_BLOCK, &shut, &kernel, sizeof(shut));
  if (block->has_interruption) return false;
  const SignalSet old = kernel | (block->blocks_sigsys ? Bit(SIGSYS) : 0);
  SignalSet now = old;
  SignalSet set = 0;
  *result = 0;
  if (regs.r10 != sizeof(SignalSet)) {
    *result = -EINVAL;
  } else if (regs.rsi != 0 && !ReadAsked(block, &set, regs.rsi)) {
    *result = -EFAULT;
  } else if (regs.rsi == 0 || ApplyMask(static_cast<int>(regs.rdi), set, &now)) {
    if (regs.rdx != 0 && !WriteAsked(block, regs.rdx, old)) *result = -EFAULT;
  } else {
    *result = -EINVAL;
  }
  block->blocked_faults = now & kFaults;
  kernel = now & ~Bit(SIGSYS);
  Native(Nr::rt_sigprocmask, SIG_SETMASK, &kernel, nullptr, sizeof(kernel));
  // With the mask in force: what was held back may come at once.
  if (block->blocks_sigsys != ((now & Bit(SIGSYS)) != 0)) {
    BlockSigsys(block, (now & Bit(SIGSYS)) != 0);
    UpdateRoutes(block);
  }
  return true;
}

bool WithinAltStack(const AltStack& stack, uint64_t rsp) { return rsp > stack.sp && rsp - stack.sp <= stack.size; }

bool OnAltStack(const AltStack& stack, uint64_t rsp) {
  return (static_cast<uint32_t>(stack.flags) & SS_AUTODISARM) == 0 && WithinAltStack(stack, rsp);
}

int64_t ChangeAltStack(ThreadBlock* block, const AltStack& wanted, uint64_t rsp) {
  const AltStack& old = block->alt_stack;
  if (old.size != 0 && OnAltStack(old, rsp)) return -EPERM;
  const uint32_t mode = static_cast<uint32_t>(wanted.flags) & ~SS_AUTODISARM;
  if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0) return -EINVAL;
  if (wanted.sp == old.sp && wanted.size == old.size && wanted.flags == old.flags) return 0;
  if (mode != SS_DISABLE && !IsGoodStackSize(block, wanted.size)) return -ENOMEM;
  block->alt_stack = mode == SS_DISABLE ? AltStack{0, wanted.flags, 0, 0} : wanted;
  return 0;
}

void TakeAltStack(ThreadBlock* block, const ucontext& frame, uint64_t rsp) {
  AltStack stack;
  memcpy(&stack, &frame.uc_stack, sizeof(stack));
  ChangeAltStack(block, stack, rsp);
}

int64_t SetAltStack(ThreadBlock* block, const GuestRegs& regs) {
  AltStack wanted = {};
  if (regs.rdi != 0 && !ReadAsked(block, &wanted, regs.rdi)) return -EFAULT;
  AltStack old = block->alt_stack;
  const uint32_t mode = old.size == 0 ? SS_DISABLE : OnAltStack(old, regs.rsp) ? SS_ONSTACK : 0;
  old.flags = static_cast<int32_t>(mode | (static_cast<uint32_t>(old.flags) & SS_AUTODISARM));
  if (regs.rdi != 0) {
    if (const int64_t error = ChangeAltStack(block, wanted, regs.rsp)) return error;
  }
  if (regs.rsi != 0 && !WriteAsked(block, regs.rsi, old)) return -EFAULT;
  return 0;
}

KernelAction TakeAction(ProcessState* process, int signal) {
  const KernelAction seen = ActionOf(process, signal);
  const bool once = (seen.flags & SA_RESETHAND) != 0 && IsHandled(seen);
  const bool stale = !IsHandled(seen) && !IsOurs(signal);
  if (!once && !stale) return seen;
  Locked locked(process, signal);
  const KernelAction action = ActionOf(process, signal);
  if (!IsHandled(action)) {
    if (!IsOurs(signal)) KernelSet(signal, {action.handler, action.flags & kPassedFlags, 0, 0});
  } else if ((action.flags & SA_RESETHAND) != 0) {
    if (!IsOurs(signal)) KernelSet(signal, {kDefaultAction, action.flags & kPassedFlags, 0, 0});
    KernelAction reset = action;
    reset.handler = kDefaultAction;
    locked.Store(reset);
  }
  return action;
}

void ClearHandlers(ProcessState* process) {
  for (int signal = 1; signal <= kSignals; ++signal) {
    Locked locked(process, signal);
    if (!locked.known() || !IsHandled(locked.action())) continue;
    if (!IsOurs(signal)) DefaultInKernel(signal);
    locked.Store({});
  }
}

SignalSet IgnoredOfOurs(ProcessState* process) {
  SignalSet ignored = 0;
  for (const int signal : {SIGSYS, SIGSEGV, SIGBUS}) {
    if (ActionOf(process, signal).handler == kIgnore) ignored |= Bit(signal);
  }
  return ignored;
}

void GiveIgnored(ProcessState* process) {
  for (const int signal : {SIGSYS, SIGSEGV, SIGBUS}) {
    if (ActionOf(process, signal).handler == kIgnore) KernelSet(signal, {kIgnore, 0, 0, 0});
  }
}

void TakeIgnored(ProcessState* process) {
  for (const int signal : {SIGSYS, SIGSEGV, SIGBUS}) {
    const KernelAction action = ActionOf(process, signal);
    if (action.handler == kIgnore) RegisterOwn(signal, action);
  }
}

void DefaultInKernel(int signal) { KernelSet(signal, {}); }

}  // namespace guise::shim
