#include "shim/gate/trace.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/ptrace.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/gate/routes.h"
#include "shim/memory.h"
#include "shim/thread/records.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// ABI: proc_pid_status(5): the tracer's line is among the first.
bool IsTraced() {
  constexpr const char* kTracer = "TracerPid:\t";
  const int64_t fd = Native(Nr::openat, AT_FDCWD, "/proc/thread-self/status", O_RDONLY | O_CLOEXEC, 0);
  if (IsError(fd)) return false;
  char text[512] = {};
  Native(Nr::read, fd, text, sizeof(text) - 1);
  Native(Nr::close, fd);
  for (const char* line = text; *line != 0; ++line) {
    if (StartsWith(line, kTracer)) return line[Length(kTracer)] != '0';
  }
  return false;
}

bool SignalsItself(const ThreadBlock* block, const GuestCall& call) {
  const auto first = static_cast<int32_t>(call.args[0]);
  switch (call.nr) {
    case Nr::kill:
      return first == block->process->pid || first <= 0;
    case Nr::rt_sigqueueinfo:
    case Nr::tgkill:
    case Nr::rt_tgsigqueueinfo:
      return first == block->process->pid;
    case Nr::tkill:
      return first == block->tid;
    case Nr::pidfd_send_signal:
      // To whom is not looked up.
      return true;
    default:
      return false;
  }
}

// For a signal, of the tracer's own perhaps.
bool Waits(Nr nr) {
  return nr == Nr::pause || nr == Nr::rt_sigsuspend || nr == Nr::rt_sigtimedwait || nr == Nr::nanosleep ||
         nr == Nr::clock_nanosleep;
}

}  // namespace

int64_t AskForTrace(ThreadBlock* block) {
  if (block->asked_for_trace || IsTraced()) return -EPERM;
  // Where a filter refuses the call: there is no process 0.
  const int64_t refused = Native(Nr::ptrace, PTRACE_CONT, 0, 0, 0);
  if (refused != -ESRCH) return refused;
  // ABI: hook_ptrace_traceme() of security/landlock/: a tracer's restrictions are its tracee's, too.
  if (ParentIsRestricted(*block->process)) return -EPERM;
  block->asked_for_trace = true;
  UpdateRoutes(block);
  return 0;
}

void NoteTraced(ThreadBlock* block, const GuestCall& call) {
  if (block->asked_for_trace && (SignalsItself(block, call) || Waits(call.nr))) BeginTrace(block);
}

void BeginTrace(ThreadBlock* block) {
  if (!block->asked_for_trace) return;
  Native(Nr::ptrace, PTRACE_TRACEME, 0, 0, 0);
  block->asked_for_trace = false;
  UpdateRoutes(block);
}

}  // namespace guise::shim
