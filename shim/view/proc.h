// The process view: what a guest reads of itself in /proc where the kernel would show the shim.
#ifndef GUISE_SHIM_VIEW_PROC_H_
#define GUISE_SHIM_VIEW_PROC_H_

#include "shim/gate/call.h"

namespace guise::shim {

// The program that this process runs, as /proc/self/exe should name it. Copied.
void SetProgram(const char* path);

// The path that stands for `path`: the program for /proc/self/exe and its other names, else `path` itself.
const char* ProcPath(const ProcessState& process, const char* path);

// Answers calls by path that would show the image or a guarded fd, or gives the call another path and leaves it to the
// session (false, as for calls that are not concerned).
bool AnswerForProc(ThreadBlock* block, GuestCall* edited, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_PROC_H_
