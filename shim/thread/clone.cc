#include "shim/thread/clone.h"

#include <linux/sched.h>

#include "shim/arch/x86_64/cpu.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/exec/exec.h"
#include "shim/gate/routes.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/panic.h"
#include "shim/rewrite/jump.h"
#include "shim/rewrite/patcher.h"
#include "shim/rewrite/rewrite.h"
#include "shim/rewrite/site_stub.h"
#include "shim/signal/actions.h"
#include "shim/signal/fault.h"
#include "shim/thread/records.h"
#include "shim/view/fd_moves.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr size_t kCloneArgsFirstSize = 64;  // CLONE_ARGS_SIZE_VER0
constexpr size_t kCloneArgsFlags = 0;
constexpr size_t kCloneArgsStack = 5;
constexpr size_t kCloneArgsStackSize = 6;

// What the shim needs to know of a clone: its flags and the child's stack pointer (0: the parent's).
struct Child {
  uint64_t flags;
  uint64_t stack;
};

// Reads clone3's structure into the block and takes out what the shim does itself. 0 or -errno. ABI: kernel/fork.c,
// copy_clone_args_from_user(): a larger structure is good when what is not known of it is zero.
int64_t ReadCloneArgs(ThreadBlock* block, const GuestCall& call, Child* child) {
  const uint64_t size = call.args[1];
  constexpr uint64_t kPage = 4096;
  constexpr uint64_t kKnown = sizeof(block->clone_args);
  if (size > kPage) return -E2BIG;
  if (size < kCloneArgsFirstSize) return -EINVAL;
  memset(block->clone_args, 0, kKnown);
  if (!ReadGuest(block->clone_args, call.args[0], size < kKnown ? size : kKnown)) return -EFAULT;
  for (uint64_t at = kKnown; at < size; ++at) {
    char byte;
    if (!ReadGuest(&byte, call.args[0] + at)) return -EFAULT;
    if (byte != 0) return -E2BIG;
  }
  child->flags = block->clone_args[kCloneArgsFlags];
  const uint64_t stack = block->clone_args[kCloneArgsStack];
  child->stack = stack == 0 ? 0 : stack + block->clone_args[kCloneArgsStackSize];
  block->clone_args[kCloneArgsFlags] &= ~uint64_t{CLONE_CLEAR_SIGHAND};
  return 0;
}

bool SharesMemory(uint64_t flags) { return (flags & CLONE_VM) != 0; }
bool IsVfork(uint64_t flags) { return (flags & CLONE_VFORK) != 0; }

// The block of a child that shares this memory; null when there is no room for it.
ThreadBlock* MakeChild(ThreadBlock* parent, uint64_t flags) {
  ThreadBlock* const child = TakeBlock();
  if (child == nullptr) return nullptr;
  if ((flags & CLONE_SIGHAND) != 0) {
    child->process = parent->process;
    AddUser(child->process);
  } else {
    child->process = CopyProcessState(*parent->process);
    if (child->process == nullptr) {
      FreeBlock(child);
      return nullptr;
    }
  }
  child->leaves_gs = parent->leaves_gs;
  child->inherits_gs = parent->cookie != 0;
  child->blocks_sigsys = parent->blocks_sigsys;
  child->last_fault = parent->last_fault;
  child->own_fault = parent->own_fault;
  child->faulted_itself = parent->faulted_itself;
  child->filters.StoreRelaxed(parent->filters.Acquire());
  // ABI: clone(2): a child that shares memory starts without an alternate stack, but for vfork's.
  child->alt_stack = IsVfork(flags) ? parent->alt_stack : kNoAltStack;
  return child;
}

void FreeChild(ThreadBlock* child) {
  ReleaseExecMemory(child);
  DropUser(child->process);
  FreeBlock(child);
}

}  // namespace

Outcome StartClone(ThreadBlock* block, ucontext* context, const GuestCall& call) {
  GuestRegs& regs = *RegsOf(context);
  Child made = {.flags = SIGCHLD, .stack = 0};
  GuestCall native = call;
  switch (call.nr) {
    // ABI: kernel/fork.c: both are this clone, which every architecture has.
    case Nr::fork:
      native = {Nr::clone, {made.flags, 0}};
      break;
    case Nr::vfork:
      made.flags |= CLONE_VFORK | CLONE_VM;
      native = {Nr::clone, {made.flags, 0}};
      break;
    case Nr::clone:
      made = {.flags = call.args[0] & 0xffffffff, .stack = call.args[1]};
      break;
    case Nr::clone3: {
      const int64_t read = ReadCloneArgs(block, call, &made);
      if (read != 0) return Outcome::Done(read);
      // ABI: kernel/fork.c, clone3_args_valid(): the two contradict each other.
      if ((made.flags & CLONE_CLEAR_SIGHAND) != 0 && (made.flags & CLONE_SIGHAND) != 0) return Outcome::Done(-EINVAL);
      native.args[0] = Word(&block->clone_args[0]);
      native.args[1] = call.args[1] < sizeof(block->clone_args) ? call.args[1] : sizeof(block->clone_args);
      break;
    }
    default:
      break;
  }
  ThreadBlock* child = block;
  block->fd_moves = FdMoves();
  if (SharesMemory(made.flags)) {
    if (!IsVfork(made.flags) && block->cookie == 0) TakeGs(block);
    // Where threads run, the kernel takes milliseconds for it, in which others wait for whoever rewrites a site.
    if (!IsVfork(made.flags) && MayRewrite(block) && IsAlone(block)) CanSynchronize(Others::kRun);
    child = MakeChild(block, made.flags);
    if (child == nullptr) return Outcome::Done(-ENOMEM);
  }
  if ((made.flags & CLONE_SIGHAND) == 0) block->process->may_have_children = true;
  if (!SharesMemory(made.flags)) block->unborn = TakeUnborn(*block->process);
  block->clone_flags = made.flags;
  block->child = child == block ? nullptr : child;
  block->regs = regs;
  block->mask = context->uc_sigmask;
  block->clone_stack = made.stack;
  if (child != block) {
    child->regs = regs;
    child->mask = block->mask;
    // It comes back from the same call, and blocks the same faults: whoever rewrites the site must know.
    child->blocked_faults = block->mask & kFaults;
    child->caught_behind.Release(regs.rip);
    child->clone_flags = made.flags;
    child->fd_moves = block->fd_moves;
    child->clone_stack = made.stack;
    child->parent_record = block->process->record;
    child->parent_generation = block->process->generation;
    if (IsVfork(made.flags)) child->vfork_maker = block;
  }

  regs.rax = static_cast<uint64_t>(native.nr);
  regs.rdi = native.args[0];
  regs.rsi = native.args[1];
  regs.rbx = reinterpret_cast<uint64_t>(block);
  regs.rbp = reinterpret_cast<uint64_t>(child);
  regs.rip = Label(guise_clone_gate);
  context->uc_sigmask = kEverything;
  return Outcome::Redirected();
}

}  // namespace guise::shim

using guise::shim::ThreadBlock;

#pragma GCC visibility push(hidden)
extern "C" {

// The parent's way out of the clone gate.
void guise_clone_parent(ThreadBlock* block, int64_t result) {
  using namespace guise::shim;  // NOLINT(google-build-using-namespace): the body belongs there
  block->regs.rax = static_cast<uint64_t>(result);
  block->resume = AfterCall(block->regs.rip);
  // Those of the guest again, not of the way here.
  block->blocked_faults = block->mask & kFaults;
  ThreadBlock* const child = block->child;
  block->child = nullptr;
  if (!SharesMemory(block->clone_flags)) {
    LeaveUnborn(*block->process, block->unborn, result, (block->clone_flags & CLONE_NEWPID) == 0);
  }
  // A vfork child has rewritten a site, perhaps. It has used no barriers for it; on the way here no instruction of this
  // thread's was a serializing one, perhaps.
  if (IsVfork(block->clone_flags)) Serialize();
  if (block->cookie == 0 && HasRewritten()) TakeGs(block);
  if (child == nullptr) return;
  // A vfork child has exec'ed or ended by now; a child that was not made never ran.
  if (IsError(result) || IsVfork(block->clone_flags)) {
    FreeChild(child);
    // A child that was killed rewrites no more.
    if (IsAlone(block)) ForgetPatcher();
  }
}

// The child's: from here on it is a guest like any other.
void guise_clone_child(ThreadBlock* block) {
  using namespace guise::shim;  // NOLINT(google-build-using-namespace): the body belongs there
  const uint64_t flags = block->clone_flags;
  block->child = nullptr;
  block->made_by = flags;
  // ABI: prctl(2): the dispatch of system calls is not inherited.
  block->dispatch = {};
  // Nor is a trace.
  block->asked_for_trace = false;
  // The parent counts its own.
  block->caught = 0;
  if (!SharesMemory(flags)) block->vfork_maker = nullptr;
  block->regs.rax = 0;
  block->blocked_faults = block->mask & kFaults;
  // ABI: user_disable_single_step() in ptrace_init_task(): a debugger that steps the parent does not step the child.
  constexpr uint64_t kTrap = 0x100;
  block->regs.eflags &= ~kTrap;
  if (block->clone_stack != 0) block->regs.rsp = block->clone_stack;
  block->resume = AfterCall(block->regs.rip);
  // A fork child has kept its parent's, which is this one.
  const int64_t stack = SharesMemory(flags) ? SetBlockStack(block) : 0;
  if (const int64_t armed = IsError(stack) ? stack : Arm(); IsError(armed)) {
    Panic(guise::wire::PanicKind::kCheck, "a new thread or process could not be armed", {.error = armed});
  }
  ProcessState* const process = block->process;
  const bool has_own_state = !SharesMemory(flags) || (flags & CLONE_SIGHAND) == 0;
  if (has_own_state && (flags & CLONE_FILES) == 0) {
    FindGuardedFds(process, block->fd_moves, !SharesMemory(flags));
  }
  if (!SharesMemory(flags)) {
    // Blocks of other processes in this memory (vfork children) speak of other fd tables.
    ForOtherBlocks(block, [block](ThreadBlock* other) {
      if (other->process == block->process) CloseExecFds(other);
    });
    KeepOnly(block);
    ForgetPatcher();
    AdoptProcessRecord(process, block->unborn);
  } else if ((flags & CLONE_SIGHAND) == 0) {
    TakeProcessRecord(process, block->parent_record, block->parent_generation);
  }
  if ((flags & CLONE_CLEAR_SIGHAND) != 0) ClearHandlers(process);
  // A process's first thread has its id.
  block->tid = has_own_state ? process->pid : static_cast<int32_t>(Native(Nr::gettid));
  TakeThreadRecord(block);
  const bool meets_sites = SharesMemory(flags) && (!IsVfork(flags) || HasRewritten());
  // With its maker's, its stubs would write to the maker's block.
  if (meets_sites || block->cookie != 0 || block->inherits_gs) TakeGs(block);
}
}
#pragma GCC visibility pop
