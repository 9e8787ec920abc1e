// PTRACE_TRACEME. Each caught call of a tracee is a stop (SIGSYS), of which its tracer knows nothing: it waits for an
// exec, in vfork(2) perhaps, or for a stop that the tracee makes itself. So the kernel is told of the wish then. ABI:
// nothing of a trace shows before, but by signals of others.
#ifndef GUISE_SHIM_GATE_TRACE_H_
#define GUISE_SHIM_GATE_TRACE_H_

#include "shim/gate/call.h"

namespace guise::shim {

// ptrace(PTRACE_TRACEME): 0 or -errno. What the thread asks for its exec does (wire::kHandoverTraced).
int64_t AskForTrace(ThreadBlock* block);

// Before each call of a thread that has asked: the trace begins if the call signals its caller.
void BeginTrace(ThreadBlock* block, const GuestCall& call);

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_TRACE_H_
