#include "shim/gate/own.h"

#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#include "shim/arch/x86_64/gates.h"
#include "shim/exec/exec.h"
#include "shim/exec/landlock.h"
#include "shim/filter/guest_dispatch.h"
#include "shim/filter/guest_filters.h"
#include "shim/gate/published.h"
#include "shim/gate/routes.h"
#include "shim/gate/trace.h"
#include "shim/guest_memory.h"
#include "shim/signal/actions.h"
#include "shim/signal/deliver.h"
#include "shim/signal/stack_size.h"
#include "shim/thread/clone.h"
#include "shim/thread/records.h"
#include "shim/view/barriers.h"
#include "shim/view/fd_lists.h"
#include "shim/view/fds.h"
#include "shim/view/proc.h"
#include "shim/view/ranges.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// Notes the mask that the call brings along: a handler that interrupts it runs under that one.
void NoteTempMask(ThreadBlock* block, const GuestCall& call) {
  uint64_t set_at = 0;
  switch (call.nr) {
    case Nr::rt_sigsuspend:
      set_at = call.args[0];
      break;
    case Nr::ppoll:
      set_at = call.args[3];
      break;
    case Nr::epoll_pwait:
    case Nr::epoll_pwait2:
      set_at = call.args[4];
      break;
    case Nr::pselect6:
    case Nr::io_pgetevents:
      // {const sigset_t *set; size_t size}
      if (call.args[5] == 0 || !ReadGuest(&set_at, call.args[5])) return;
      break;
    default:
      return;
  }
  block->has_temp_mask = set_at != 0 && ReadGuest(&block->temp_mask, set_at);
}

ExecRequest ExecOf(const GuestCall& call) {
  if (call.nr == Nr::execve) {
    return {.dir_fd = kCwd, .path = call.args[0], .argv = call.args[1], .envp = call.args[2], .flags = 0};
  }
  return {.dir_fd = static_cast<int32_t>(call.args[0]),
          .path = call.args[1],
          .argv = call.args[2],
          .envp = call.args[3],
          .flags = static_cast<uint32_t>(call.args[4])};
}

// Calls of the guest's own process and threads. False: not one of them.
bool AnswerCaller(ThreadBlock* block, ucontext* context, const GuestCall& call, Outcome* outcome) {
  const GuestRegs& regs = *RegsOf(context);
  // Counted before it is answered: after an exit or exec there is no record to count in.
  const auto count = [&](wire::Placement placement) { CountCall(block, placement, CurrentEpoch()); };
  NoteTraced(block, call);
  switch (call.nr) {
    case Nr::rt_sigaction:
      count(wire::Placement::kShim);
      *outcome = Outcome::Done(SetAction(block, regs));
      return true;
    case Nr::rt_sigprocmask:
      count(wire::Placement::kShim);
      *outcome = Outcome::Done(SetMask(block, context));
      return true;
    case Nr::rt_sigpending:
      count(wire::Placement::kShim);
      *outcome = Outcome::Done(PendingSignals(block, regs));
      return true;
    case Nr::sigaltstack:
      count(wire::Placement::kShim);
      *outcome = Outcome::Done(SetAltStack(block, regs));
      return true;
    case Nr::rt_sigreturn:
      count(wire::Placement::kShim);
      ReturnFromSignal(block, context);
      *outcome = Outcome::Redirected();
      return true;
    case Nr::fork:
    case Nr::vfork:
    case Nr::clone:
    case Nr::clone3:
      count(wire::Placement::kShim);
      NoteGs(block);
      *outcome = StartClone(block, context, call);
      return true;
    case Nr::execve:
    case Nr::execveat:
      count(wire::Placement::kShim);
      *outcome = StartExec(block, context, ExecOf(call));
      return true;
    case Nr::exit:
    case Nr::exit_group:
      count(wire::Placement::kShim);
      *outcome = Exit(block, context, call);
      return true;
    case Nr::ptrace:
      if (call.args[0] != PTRACE_TRACEME) break;
      count(wire::Placement::kShim);
      *outcome = Outcome::Done(AskForTrace(block));
      return true;
    case Nr::landlock_restrict_self:
      LetImageRun(block->process, static_cast<int32_t>(call.args[0]));
      break;
    case Nr::arch_prctl:
      if (!AnswerBases(block, call, outcome) && !AnswerStateRequest(block, call, outcome)) break;
      count(wire::Placement::kShim);
      return true;
    case Nr::seccomp:
    case Nr::prctl:
      if (call.nr == Nr::prctl && static_cast<int32_t>(call.args[0]) == PR_SET_SYSCALL_USER_DISPATCH) {
        *outcome = Outcome::Done(SetGuestDispatch(block, call));
      } else if (!AnswerSeccomp(block, call, outcome)) {
        break;
      }
      count(wire::Placement::kShim);
      return true;
    default:
      break;
  }
  // The rest of what only the caller can do runs natively whatever the session says.
  if (!HasTrait(call, syscall::Trait::CallerOnly)) return false;
  count(wire::Placement::kKernel);
  *outcome = Outcome::Native();
  return true;
}

bool AnswerViews(ThreadBlock* block, Looks looks, GuestCall* call, Outcome* outcome) {
  const bool answered = ((looks.fds != 0 || looks.Has(Look::kFdTable)) && AnswerForFds(block, call, outcome)) ||
                        (looks.Has(Look::kFdLists) && AnswerForFdLists(block, call, outcome)) ||
                        (looks.Has(Look::kMemory) && AnswerForRanges(*call, outcome)) ||
                        (looks.Has(Look::kBarriers) && AnswerForBarriers(*call, outcome)) ||
                        (looks.paths != 0 && AnswerForProc(block, call, outcome));
  if (!answered) return false;
  CountCall(block, wire::Placement::kShim, CurrentEpoch());
  return true;
}

}  // namespace

// A thread, or a process that is a guest of another's memory, leaves its block to the next. A vfork child's is its
// parent's to free. Nothing may interrupt what has no record any more.
Outcome Exit(ThreadBlock* block, ucontext* context, const GuestCall& call) {
  const bool shares = (block->made_by & CLONE_VM) != 0;
  const bool vfork = (block->made_by & CLONE_VFORK) != 0;
  const bool thread = (block->made_by & CLONE_THREAD) != 0;
  const bool group = call.nr == Nr::exit_group;
  GiveBackThreadRecord(block);
  context->uc_sigmask = kEverything;
  // A process that shares its parent's state has no record of its own.
  const bool borrows = !thread && (block->made_by & CLONE_SIGHAND) != 0;
  if (group && !borrows) GiveBackProcessRecord(block->process);
  // Here and now: a stub for a site that is passed once would make a fork child copy pages.
  if ((shares && vfork) || (group && (thread || !shares))) Perform(call);
  ProcessState* const process = block->process;
  // Others of the process may go on: the last one ends it.
  if (process->users.Acquire() == 1) GiveBackProcessRecord(process);
  DropUser(process);
  GuestRegs& regs = *RegsOf(context);
  // A filter makes an exit of another call.
  regs.rax = static_cast<uint64_t>(call.nr);
  regs.rdi = call.args[0];
  regs.rbx = reinterpret_cast<uint64_t>(block);
  regs.rip = Label(guise_thread_exit_gate);
  return Outcome::Redirected();
}

bool AnswerOwn(ThreadBlock* block, ucontext* context, GuestCall* call, Outcome* outcome) {
  const Looks looks = LooksOf(call->nr);
  if (looks.Has(Look::kTempMask)) NoteTempMask(block, *call);
  return AnswerCaller(block, context, *call, outcome) || AnswerViews(block, looks, call, outcome);
}

bool AnswerView(ThreadBlock* block, Looks looks, GuestCall* call, Outcome* outcome) {
  if (looks.Has(Look::kTempMask)) NoteTempMask(block, *call);
  return AnswerViews(block, looks, call, outcome);
}

}  // namespace guise::shim
