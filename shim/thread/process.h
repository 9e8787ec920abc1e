// What the shim keeps of a process: what threads with CLONE_SIGHAND and CLONE_FILES share. A vfork child shares memory
// but not this.
#ifndef GUISE_SHIM_THREAD_PROCESS_H_
#define GUISE_SHIM_THREAD_PROCESS_H_

#include <stdint.h>

#include "proto/wire/cell.h"
#include "shim/kernel.h"

namespace guise::shim {

// What the guest asked for a signal. The kernel's own disposition is the shim's trampoline where the handler is one.
// Two copies, so that a fork by another thread never finds a half-written one: `sequence & 1` is the current.
struct Disposition {
  wire::Cell<uint32_t> sequence;  // 0: never asked; the kernel's is the guest's
  KernelAction actions[2];
};

struct ProcessState {
  wire::Cell<uint32_t> users;  // blocks that point here; 0: free
  uint32_t record;             // process record in request memory, or kNoRecord
  uint32_t generation;         // of that record
  int32_t pid;
  bool keeps_text;           // its call sites are not rewritten (text rules)
  bool landlocked;           // it, or who made it, has restricted itself: what it may run is the kernel's to say
  uint32_t landlock_layers;  // restrictions of itself, counted on from who made it
  bool may_have_children;    // other processes may name this one's record as their parent's
  int32_t image_fd;
  int32_t request_fd;
  int32_t reply_fd;
  int32_t program_fd;  // of the program's file: what /proc/self/exe leads to natively; -1: there was no room for it
  ProcessState* next;
  // Bit(signal): a writer is at its disposition. A fork child forgets the writers that it did not inherit.
  wire::Cell<uint64_t> locked;
  Disposition dispositions[kSignals + 1];
};

// Descriptors of the shim's. -1 is none.
template <int kCount>
struct FdList {
  int32_t fds[kCount];
  const int32_t* begin() const { return fds; }
  const int32_t* end() const { return fds + kCount; }
};
// Those that an exec hands over.
inline FdList<3> SessionFds(const ProcessState& process) {
  return {{process.image_fd, process.request_fd, process.reply_fd}};
}
// All that the guest does not see.
inline FdList<4> GuardedFds(const ProcessState& process) {
  return {{process.image_fd, process.request_fd, process.reply_fd, process.program_fd}};
}

// Takes a free one or maps a new one, used by one block; null when memory is out.
ProcessState* TakeProcessState();
void AddUser(ProcessState* process);
// True: it was the last.
bool DropUser(ProcessState* process);
// A copy for a child that shares memory but not signal handlers; null when memory is out.
ProcessState* CopyProcessState(const ProcessState& from);

}  // namespace guise::shim

#endif  // GUISE_SHIM_THREAD_PROCESS_H_
