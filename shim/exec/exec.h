// execve and execveat of the guest: the program is judged here, then the image is exec'ed, which loads it.
#ifndef GUISE_SHIM_EXEC_EXEC_H_
#define GUISE_SHIM_EXEC_EXEC_H_

#include "shim/gate/call.h"

namespace guise::shim {

inline constexpr int32_t kCwd = -100;  // AT_FDCWD

struct ExecRequest {
  int32_t dir_fd;
  uint64_t path;  // addresses of the guest
  uint64_t argv;
  uint64_t envp;
  uint32_t flags;
};

// Judges and prepares; then the context leads to the exec gate, which execs the image with all signals blocked: the
// mask of the guest, which an exec keeps, is handed over. What comes meanwhile waits for the new program, as what comes
// to a thread in execve(2) does. REQUIRES: the block holds the guest's mask.
Outcome StartExec(ThreadBlock* block, ucontext* context, const ExecRequest& request);

// Only the fds: for a fork child, of an exec that another thread of its parent had under way.
void CloseExecFds(ThreadBlock* block);
// Only the memory: for a vfork child that has exec'ed in its parent's address space.
void ReleaseExecMemory(ThreadBlock* block);

// The session's first program: `path` as execve would run it. Does not return: on failure says why on stderr and exits
// with 126, or 127 when there is no such file.
struct FirstProgram {
  const char* path;
  char** argv;
  char** envp;  // without the private variable
};
[[noreturn]] void ExecFirst(ThreadBlock* block, const FirstProgram& program);

}  // namespace guise::shim

#endif  // GUISE_SHIM_EXEC_EXEC_H_
