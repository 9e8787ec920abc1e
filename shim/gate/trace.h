// PTRACE_TRACEME. Each caught call of a tracee is a stop (SIGSYS), of which its tracer knows nothing: it waits for an
// exec, in vfork(2) perhaps, or for a stop that the tracee makes itself. So the kernel is told of the wish then. ABI:
// nothing of a trace shows before, but by signals of others.
#ifndef GUISE_SHIM_GATE_TRACE_H_
#define GUISE_SHIM_GATE_TRACE_H_

#include "shim/gate/call.h"

namespace guise::shim {

// ptrace(PTRACE_TRACEME): 0 or -errno. What the thread asks for its exec does (wire::kHandoverTraced).
int64_t AskForTrace(ThreadBlock* block);

// Before each call of a thread: if it has asked, the trace begins when the call signals its caller, or waits for
// signals.
void NoteTraced(ThreadBlock* block, const GuestCall& call);

// The kernel is told, if the thread has asked: before an exec outside of the session, before a fault of the guest's.
void BeginTrace(ThreadBlock* block);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_TRACE_H_
