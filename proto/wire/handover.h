// What one exec hands to the next: the private environment variable, last in envp, that the loader takes out again.
//
//   GUISE_SHIM=<abi>:<image fd>:<request fd>:<reply fd>:<flags>:<mask>:<target fd>:<target path>
//
// Decimal numbers, which may be negative; mask: the guest's signal mask, all signals being blocked over the exec, so
// that one that the kernel raises for a tracer comes when the program is loaded (a first program keeps the mask that it
// is started with). The path goes to the end of the string. target fd -1: the loader resolves the path itself as
// execve(2) would, and reports failure on stderr and by exit code (a session's first program); else the target is
// already opened and judged, and the path is the file name that the guest gave (AT_EXECFN).
#ifndef GUISE_PROTO_WIRE_HANDOVER_H_
#define GUISE_PROTO_WIRE_HANDOVER_H_

#include <stdint.h>

namespace guise::wire {

inline constexpr char kHandoverName[] = "GUISE_SHIM=";

// The first choice for the guarded fds; stepping down when taken or above RLIMIT_NOFILE. fork(2) copies the fd table up
// to the highest fd, and shells use 255.
inline constexpr int kFirstGuardedFd = 224;
inline constexpr int kGuardedFds = 3;

enum HandoverFlag : uint32_t {
  kHandoverFirst = 1u << 0,   // the session's first program
  kHandoverTraced = 1u << 1,  // the guest has asked to be traced (PTRACE_TRACEME) between vfork(2) and exec
  // What the guest asked for the signals that the shim holds itself: ignored dispositions outlive an exec.
  kHandoverIgnoresSigsys = 1u << 2,
  kHandoverIgnoresSegv = 1u << 3,
  kHandoverIgnoresBus = 1u << 4,
  kHandoverLandlocked = 1u << 5,  // ProcessState::landlocked
  kHandoverByFd = 1u << 6,        // execveat(2) was given an fd and no path
};
// The process record that the pid keeps over the exec, + 1; 0: none.
inline constexpr uint32_t kHandoverRecordShift = 8;
inline constexpr uint32_t kHandoverRecordMask = 0x1fff;
// How many strings before the variable hold the guest's own seccomp filters, oldest first: GUISE_FILTER= and the
// instructions in hexadecimal. At most kHandoverFilterMax.
inline constexpr uint32_t kHandoverFilterShift = 24;
inline constexpr uint32_t kHandoverFilterMax = 255;

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_HANDOVER_H_
