// What the shim keeps of a thread, and the stack that its signal handlers run on: 64 KiB, at whose end the fields lie
// and beneath them the stack, which grows down. They share a page, which a fork child has to copy. The kernel knows the
// stack as the thread's alternate signal stack, so every handler finds its block in the frame it is given (uc_stack),
// without TLS and without a register.
//
// A block belongs to its thread. While a thread runs in a handler all signals but SIGSEGV and SIGBUS are blocked.
#ifndef GUISE_SHIM_THREAD_BLOCK_H_
#define GUISE_SHIM_THREAD_BLOCK_H_

#include <stddef.h>
#include <stdint.h>

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/offsets.h"
#include "shim/kernel.h"
#include "shim/thread/process.h"

namespace guise::shim {

struct GuestRegs {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
};

inline constexpr uint32_t kNoRecord = 0xffffffff;

// Signals whose handlers are the shim's own: one of each may be held back.
inline constexpr uint32_t kHeldSignals = 3;
constexpr uint32_t HeldIndex(int signal) { return signal == SIGSYS ? 0 : signal == SIGSEGV ? 1 : 2; }

struct GuestFilter;  // filter/guest_filters.h

// The guest's own Syscall User Dispatch, filter/guest_dispatch.h.
struct GuestDispatch {
  bool on;
  uint64_t start;
  uint64_t length;
  uint64_t selector;  // address of a byte, or 0
};

struct ThreadBlock {
  GuestRegs regs;             // of the call in a gate, as at the site; rip is behind the site
  SignalSet mask;             // of the guest, at the site
  wire::Cell<uint32_t> used;  // 0: free for another thread
  uint32_t thread;            // record in request memory, or kNoRecord
  ProcessState* process;
  ThreadBlock* child;   // the block of the child that a clone under way makes
  ThreadBlock* next;    // all blocks of this address space
  AltStack alt_stack;   // the guest's, virtual
  SignalSet temp_mask;  // the mask that the call under way installs while it waits
  bool has_temp_mask;
  bool asked_for_trace;  // a vfork child's PTRACE_TRACEME, for its exec
  bool blocks_sigsys;    // virtual: the kernel's mask never holds SIGSYS
  bool has_held[kHeldSignals];
  siginfo_t held[kHeldSignals];  // by HeldIndex: sent by somebody while the thread could not take them
  uint64_t ignored_fault;  // where the thread has had a fault that the guest ignores, and made no call since, or 0
  bool has_interruption;   // `interruption` waits for the end of the call under way
  bool restarts;           // and the call is made again if it fails with EINTR
  siginfo_t interruption;  // see signal/interrupt.h
  int32_t exec_fd;         // opened for an exec that failed or is under way, or -1
  int32_t tid;
  void* exec_scratch;  // memory of that exec
  size_t exec_scratch_size;
  wire::Cell<const GuestFilter*> filters;  // the guest's own seccomp filters, or null
  GuestDispatch dispatch;
  uint64_t made_by;        // flags of the clone that made this thread; 0: the program's first
  uint64_t clone_flags;    // of the clone under way; in a child's block, of the one that made it
  uint64_t clone_stack;    // the child's stack pointer, or 0: the parent's
  uint32_t parent_record;  // process record of the maker, for a child that shares memory
  uint32_t parent_generation;
  uint64_t clone_args[11];  // clone3's, edited
};
static_assert(offsetof(ThreadBlock, regs.r8) == GUISE_R8 && offsetof(ThreadBlock, regs.rdi) == GUISE_RDI);
static_assert(offsetof(ThreadBlock, regs.rax) == GUISE_RAX && offsetof(ThreadBlock, regs.rsp) == GUISE_RSP);
static_assert(offsetof(ThreadBlock, regs.eflags) == GUISE_EFLAGS && offsetof(ThreadBlock, mask) == GUISE_MASK);
static_assert(offsetof(ThreadBlock, used) == GUISE_IN_USE);
static_assert(sizeof(GuestRegs) == offsetof(sigcontext, cs), "copied to and from the kernel's frame as it is");

inline constexpr size_t kBlockSize = 64 << 10;
// The stack; the block lies right above it.
inline constexpr size_t kBlockStackSize = kBlockSize - ((sizeof(ThreadBlock) + 63) & ~size_t{63});

// Takes a free block or maps a new one; null when memory is out. Fields are zero but for `used`.
ThreadBlock* TakeBlock();
// In a fork child: gives back what belonged to the parent's other threads, and unlocks what they had locked.
void KeepOnly(ThreadBlock* kept);
// Calls `visit` with each block in use but this one.
template <typename Visit>
void ForOtherBlocks(const ThreadBlock* block, Visit visit);
// REQUIRES: no thread runs on it.
void FreeBlock(ThreadBlock* block);

// The lists of all there are, also of free ones; entries are never taken out.
ThreadBlock* FirstBlock();
ProcessState* FirstProcessState();

template <typename Visit>
void ForOtherBlocks(const ThreadBlock* block, Visit visit) {
  for (ThreadBlock* other = FirstBlock(); other != nullptr; other = other->next) {
    if (other != block && other->used.Acquire() != 0) visit(other);
  }
}

inline ThreadBlock* BlockAbove(uint64_t stack) { return reinterpret_cast<ThreadBlock*>(stack + kBlockStackSize); }
inline uint64_t StackOf(const ThreadBlock* block) { return reinterpret_cast<uint64_t>(block) - kBlockStackSize; }

inline ThreadBlock* BlockOf(const ucontext* context) {
  return BlockAbove(reinterpret_cast<uint64_t>(context->uc_stack.ss_sp));
}

// Tells the kernel of the block as this thread's alternate stack. -errno. REQUIRES: the thread does not run on the
// alternate stack that it has.
int64_t SetBlockStack(ThreadBlock* block);
// Turns syscall dispatch on for this thread. -errno.
int64_t Arm();

inline GuestRegs* RegsOf(ucontext* context) { return reinterpret_cast<GuestRegs*>(&context->uc_mcontext); }
inline const GuestRegs* RegsOf(const ucontext* context) {
  return reinterpret_cast<const GuestRegs*>(&context->uc_mcontext);
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_THREAD_BLOCK_H_
