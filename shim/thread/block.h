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
#include "proto/wire/records.h"
#include "shim/arch/x86_64/offsets.h"
#include "shim/kernel.h"
#include "shim/memory.h"
#include "shim/thread/process.h"

namespace guise::shim {

struct GuestRegs {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
};

inline constexpr uint32_t kNoRecord = 0xffffffff;
// A process record that was taken, and its generation since.
struct TakenRecord {
  uint32_t record;
  uint32_t generation;
};
inline constexpr TakenRecord kNoneTaken = {kNoRecord, 0};

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

// How often the calls of a site were caught, see rewrite/rewrite.cc.
struct SiteCalls {
  uint8_t tag;  // another part of the hash
  uint8_t count;
};

// What a signal frame says of a fault, signal/fault_words.h.
struct FaultWords {
  uint64_t error;
  uint64_t trap;
  uint64_t cr2;
  bool operator==(const FaultWords&) const = default;
};

struct ThreadBlock {
  GuestRegs regs;             // of the call in a gate, as at the site; rip is behind the site
  SignalSet mask;             // of the guest, at the site
  wire::Cell<uint32_t> used;  // 0: free for another thread
  // What stubs of rewritten sites and the gate reach by %gs (gate/routes.h).
  uint32_t cookie;                                 // GUISE_COOKIE_VALUE, or 0: nothing of this holds
  wire::Cell<const wire::Cell<uint64_t>*> direct;  // direct table, or one that lets nothing through
  wire::Cell<uint64_t>* calls;                     // of the thread's record: the native ones
  ThreadBlock* self;                               //
  wire::Cell<int32_t> below_guarded;               // - the lowest guarded fd
  uint32_t site;                                   // stub of the call in the gate
  uint64_t resume;                                 // where the thread goes on after a gate
  bool has_interruption;                           // `interruption` waits for the end of the call under way
  bool in_gate;                                    // signals are open, and this is the shim
  bool has_temp_mask;                              // the call under way, or the last, brings temp_mask
  bool gate_before;                                // leaving the gate, the call is still to be made
  uint64_t tail[7];                                // number and arguments of the call to be made instead
  uint64_t leave_to;                               // where the gate itself is left to
  uint64_t fold_words[16];                         // by FoldSource: the folded call's arguments, constants
  SignalSet blocked_faults;                        // what of SIGSEGV and SIGBUS the guest blocks
  wire::Cell<uint64_t>* counter;                   // of the call under way that may be refused
  uint16_t fold_flags;                             // of the folded call: lahf in the high byte, 1: OF
  uint32_t thread;                                 // record in request memory, or kNoRecord
  wire::ThreadRecord* record;                      // the same, mapped, or null
  ProcessState* process;
  ThreadBlock* child;    // the block of the child that a clone under way makes
  ThreadBlock* next;     // all blocks of this address space
  AltStack alt_stack;    // the guest's, virtual
  SignalSet temp_mask;   // the mask that the call under way installs while it waits
  bool asked_for_trace;  // PTRACE_TRACEME, which the kernel is told of when it shows
  bool blocks_sigsys;    // virtual: the kernel's mask never holds SIGSYS
  bool has_held[kHeldSignals];
  siginfo_t held[kHeldSignals];  // by HeldIndex: sent by somebody while the thread could not take them
  uint64_t ignored_fault;  // where the thread has had a fault that the guest ignores, and made no call since, or 0
  bool restarts;           // the call is made again if it fails with EINTR
  bool cut_short;          // what is kept has ended a call, or kept it from being made
  siginfo_t interruption;  // see signal/interrupt.h
  bool copies;             // a handler reads or writes the guest's memory (signal/fault.h)
  bool shuts_out_fault;    // SIGSEGV or SIGBUS is blocked until the next handler copies, or the guest goes on
  bool was_open;           // the interruption came in the gate, with this mask of the guest's
  SignalSet open_mask;
  wire::Cell<uint64_t> caught_behind;  // the site of the call that was caught last: the address behind it
  bool leaves_gs;                      // %gs is the guest's
  bool inherits_gs;                    // until it is taken, %gs is that of the maker, a block
  int32_t exec_fd;                     // opened for an exec that failed or is under way, or -1
  int32_t tid;
  wire::Cell<void*> exec_scratch;  // mapped for that exec, or null; stored last, cleared first: others look
  wire::Cell<uint64_t> exec_scratch_size;
  wire::Cell<const GuestFilter*> filters;  // the guest's own seccomp filters, or null
  GuestDispatch dispatch;
  Text<32> program_link;   // ProgramLink()'s
  uint32_t caught;         // calls that took a signal, not yet counted for all to see
  uint64_t made_by;        // flags of the clone that made this thread; 0: the program's first
  uint64_t clone_flags;    // of the clone under way; in a child's block, of the one that made it
  uint64_t clone_stack;    // the child's stack pointer, or 0: the parent's
  uint64_t fd_moves;       // FdMoves() before it
  uint32_t parent_record;  // process record of the maker, for a child that shares memory
  uint32_t parent_generation;
  const ThreadBlock* vfork_maker;  // waits in vfork(2) for this thread's exec or end; null: nobody does
  TakenRecord unborn;              // of the fork under way: the child's
  uint64_t clone_args[11];         // clone3's, edited
  _fpx_sw_bytes fp_software;       // of the kernel's last frame whose FP state the guest was given
  FaultWords last_fault;           // the guest's
  FaultWords own_fault;            // while faulted_itself, what the kernel has instead: the shim's, at least cr2
  bool faulted_itself;             // the shim has, and the guest has not since
  SiteCalls site_calls[256];       // by a hash of the site; kept for the next thread, which may live as shortly
};
static_assert(offsetof(ThreadBlock, regs.r8) == GUISE_R8 && offsetof(ThreadBlock, regs.rdi) == GUISE_RDI);
static_assert(offsetof(ThreadBlock, regs.rax) == GUISE_RAX && offsetof(ThreadBlock, regs.rsp) == GUISE_RSP);
static_assert(offsetof(ThreadBlock, regs.eflags) == GUISE_EFLAGS && offsetof(ThreadBlock, mask) == GUISE_MASK);
static_assert(offsetof(ThreadBlock, used) == GUISE_IN_USE && offsetof(ThreadBlock, cookie) == GUISE_COOKIE);
static_assert(offsetof(ThreadBlock, direct) == GUISE_DIRECT && offsetof(ThreadBlock, calls) == GUISE_CALLS);
static_assert(offsetof(ThreadBlock, self) == GUISE_SELF && offsetof(ThreadBlock, site) == GUISE_SITE);
static_assert(offsetof(ThreadBlock, below_guarded) == GUISE_BELOW_GUARDED);
static_assert(offsetof(ThreadBlock, resume) == GUISE_RESUME && offsetof(ThreadBlock, tail) == GUISE_TAIL);
static_assert(offsetof(ThreadBlock, leave_to) == GUISE_LEAVE_TO);
static_assert(offsetof(ThreadBlock, fold_words) == GUISE_FOLD_WORDS);
static_assert(offsetof(ThreadBlock, blocked_faults) == GUISE_BLOCKED_FAULTS);
static_assert(offsetof(ThreadBlock, counter) == GUISE_COUNTER && offsetof(ThreadBlock, fold_flags) == GUISE_FOLD_FLAGS);
static_assert(offsetof(ThreadBlock, has_interruption) == GUISE_HAS_INTERRUPTION);
static_assert(offsetof(ThreadBlock, in_gate) == GUISE_IN_GATE);
static_assert(offsetof(ThreadBlock, has_temp_mask) == GUISE_HAS_TEMP_MASK);
static_assert(sizeof(GuestRegs) == offsetof(sigcontext, cs), "copied to and from the kernel's frame as it is");

inline constexpr size_t kBlockSize = 64 << 10;
// The stack; the block lies right above it.
inline constexpr size_t kBlockStackSize = kBlockSize - ((sizeof(ThreadBlock) + 63) & ~size_t{63});

// The first frame of the loader, below what EntryFrame of loader/load.cc writes.
static_assert(GUISE_LOADER_STACK % 16 == 0 && GUISE_LOADER_STACK + 4 * sizeof(SignalFrame) < kBlockStackSize);

// Takes a free block or maps new ones; null when memory is out. Fields are zero but for `used` and site_calls.
ThreadBlock* TakeBlock();
// In a fork child: gives back what belonged to the parent's other threads, and unlocks what they had locked.
void KeepOnly(ThreadBlock* kept);
// Calls `visit` with each block in use but this one.
template <typename Visit>
void ForOtherBlocks(const ThreadBlock* block, Visit visit);
// REQUIRES: no thread runs on it.
void FreeBlock(ThreadBlock* block);

// Changes with each TakeBlock(), before the block's thread runs.
uint32_t BlocksTaken();

// Blocks are mapped in slabs, each as large as all before it: what asks for each mapping call whether it meets one has
// few to look at, however many threads there are. The first block is not in a slab, but in the image.
struct BlockSlab {
  uint64_t start;
  uint64_t size;  // 0: there is none, yet
};
uint32_t BlockSlabs();
BlockSlab BlockSlabAt(uint32_t index);

// Blocks lead to memory that is mapped for them beside (filters, exec_scratch). Said before the first does, and for
// good.
void NoteMemoryBeside();
bool HasMemoryBeside();

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
