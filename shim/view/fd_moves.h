// Guarded fds that move while another thread makes a child: the kernel copies the fd table at one moment, memory (or
// the parent's notes, for a vfork child) at another. A child that may have been made meanwhile looks for its fds.
#ifndef GUISE_SHIM_VIEW_FD_MOVES_H_
#define GUISE_SHIM_VIEW_FD_MOVES_H_

#include <stdint.h>

#include "shim/thread/process.h"

namespace guise::shim {

// Notes which files the guarded fds are. REQUIRES: once, in the loader.
void NoteGuardedFiles(const ProcessState& process);

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
