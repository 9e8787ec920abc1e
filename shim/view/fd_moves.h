// Guarded fds that move while another thread makes a child: the kernel copies the fd table at one moment, memory (or
// the parent's notes, for a vfork child) at another. A child that may have been made meanwhile looks for its fds.
#ifndef GUISE_SHIM_VIEW_FD_MOVES_H_
#define GUISE_SHIM_VIEW_FD_MOVES_H_

#include <asm/stat.h>
#include <stdint.h>

#include "shim/thread/process.h"

namespace guise::shim {

// Notes which files the session's fds are. REQUIRES: once, in the loader.
void NoteSessionFiles(const ProcessState& process);
// Keeps the program's file, which `fd` is, for /proc/self/exe, and closes `fd`. REQUIRES: likewise.
void KeepProgramFile(ProcessState* process, int32_t fd, const struct stat& status);

// Held from before the number is noted until what takes its place is there.
class FdMove {
 public:
  FdMove();
  ~FdMove();
  FdMove(const FdMove&) = delete;
  FdMove& operator=(const FdMove&) = delete;
};

// How many moves have begun and ended, to be taken before a child is made.
uint64_t FdMoves();

// In a child with an fd table of its own; `before`: FdMoves() of its parent. Puts the notes right, and closes copies.
// `is_alone`: with memory of its own, where nobody ends what others have begun.
void FindGuardedFds(ProcessState* process, uint64_t before, bool is_alone);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_FD_MOVES_H_
