#include "shim/thread/block.h"

#include <linux/mman.h>
#include <linux/prctl.h>

#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/memory.h"
#include "shim/placement.h"

extern "C" {
// Until there is a guest, the loader runs on the stack in it.
alignas(4096) GUISE_TABLE char guise_first_block[guise::shim::kBlockSize];
}

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::Cell;

// Blocks and process states are never unmapped, so that walking the lists needs no lock: only `used` changes.
Cell<ThreadBlock*> g_blocks;
Cell<uint32_t> g_taken;
Cell<ProcessState*> g_processes;

// The first of each, which every program needs, are the image's: two mappings less. The block is guise_first_block.
GUISE_FIRST ProcessState g_first_process;
Cell<uint32_t> g_gave_block;
Cell<uint32_t> g_gave_process;

constexpr uint32_t kMostSlabs = 64;
struct MappedSlab {
  Cell<uint64_t> start;  // stored last; 0: a thread is at it
  Cell<uint32_t> blocks;
  Cell<uint32_t> given;  // more than `blocks`, perhaps
};
MappedSlab g_slabs[kMostSlabs];
Cell<uint32_t> g_slabs_begun;
Cell<uint32_t> g_memory_beside;

// Memory of zeros; null when it is out.
void* MapMemory(size_t size) {
  const int64_t at = Native(Nr::mmap, nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return IsError(at) ? nullptr : reinterpret_cast<void*>(at);
}

bool TakesFirst(Cell<uint32_t>& gave_first) { return gave_first.Relaxed() == 0 && gave_first.CompareSwap(0, 1); }

// A block's worth of a slab that has some left; null: none has.
void* FromSlab() {
  for (uint32_t i = BlockSlabs(); i-- > 0;) {
    MappedSlab& slab = g_slabs[i];
    const uint64_t start = slab.start.Acquire();
    if (start == 0 || slab.given.Relaxed() >= slab.blocks.Relaxed()) continue;
    const uint64_t given = slab.given.Add(1);
    if (given < slab.blocks.Relaxed()) return reinterpret_cast<void*>(start + given * kBlockSize);
  }
  return nullptr;
}

// Of a new slab, the first block's. It has memory as far as it is used; addresses for all of it may not be there
// (RLIMIT_AS).
void* FromNewSlab() {
  const uint32_t before = BlockSlabs();
  constexpr uint32_t kMostDoublings = 16;
  uint32_t blocks = 1u << (before < kMostDoublings ? before : kMostDoublings);
  void* start = MapMemory(blocks * kBlockSize);
  for (; start == nullptr && blocks > 1; start = MapMemory(blocks * kBlockSize)) blocks /= 2;
  if (start == nullptr) return nullptr;
  const uint32_t index = before < kMostSlabs ? g_slabs_begun.Add(1) : kMostSlabs;
  if (index >= kMostSlabs) {
    Native(Nr::munmap, start, blocks * kBlockSize);
    return nullptr;
  }
  // Of a block few pages are used: a huge one would be memory for many blocks that are none yet.
  constexpr size_t kHugePage = 2 << 20;
  if (blocks * kBlockSize >= kHugePage) Native(Nr::madvise, start, blocks * kBlockSize, MADV_NOHUGEPAGE);
  MappedSlab& slab = g_slabs[index];
  slab.blocks.StoreRelaxed(blocks);
  slab.given.StoreRelaxed(1);
  slab.start.Release(reinterpret_cast<uint64_t>(start));
  return start;
}

template <typename T>
void Push(Cell<T*>& list, T* item) {
  do {
    item->next = list.Acquire();
  } while (!list.CompareSwap(item->next, item));
}

}  // namespace

ThreadBlock* TakeBlock() {
  for (ThreadBlock* block = g_blocks.Acquire(); block != nullptr; block = block->next) {
    if (block->used.Relaxed() != 0 || !block->used.CompareSwap(0, 1)) continue;
    ThreadBlock* const next = block->next;
    // `used` stays 1 throughout: another thread may be looking.
    memset(&block->regs, 0, offsetof(ThreadBlock, used));
    memset(&block->cookie, 0, offsetof(ThreadBlock, site_calls) - offsetof(ThreadBlock, cookie));
    block->next = next;
    block->thread = kNoRecord;
    block->exec_fd = -1;
    g_taken.Add(1);
    return block;
  }
  void* memory = TakesFirst(g_gave_block) ? guise_first_block : FromSlab();
  if (memory == nullptr) memory = FromNewSlab();
  if (memory == nullptr) return nullptr;
  ThreadBlock* const block = BlockAbove(reinterpret_cast<uint64_t>(memory));
  block->used.StoreRelaxed(1);
  block->thread = kNoRecord;
  block->exec_fd = -1;
  Push(g_blocks, block);
  g_taken.Add(1);
  return block;
}

uint32_t BlockSlabs() {
  const uint32_t begun = g_slabs_begun.Acquire();
  return begun < kMostSlabs ? begun : kMostSlabs;
}

BlockSlab BlockSlabAt(uint32_t index) {
  const uint64_t start = g_slabs[index].start.Acquire();
  return {start, start == 0 ? 0 : g_slabs[index].blocks.Relaxed() * kBlockSize};
}

void NoteMemoryBeside() { g_memory_beside.Release(1); }
bool HasMemoryBeside() { return g_memory_beside.Acquire() != 0; }

uint32_t BlocksTaken() { return g_taken.Acquire(); }

ThreadBlock* FirstBlock() { return g_blocks.Acquire(); }
ProcessState* FirstProcessState() { return g_processes.Acquire(); }

void FreeBlock(ThreadBlock* block) { block->used.Release(0); }

void KeepOnly(ThreadBlock* kept) {
  // A store where nothing changes would make the child copy a page.
  const auto set = [](Cell<uint32_t>& cell, uint32_t value) {
    if (cell.Relaxed() != value) cell.StoreRelaxed(value);
  };
  for (ThreadBlock* block = g_blocks.Acquire(); block != nullptr; block = block->next) {
    if (block != kept) set(block->used, 0);
  }
  for (ProcessState* process = g_processes.Acquire(); process != nullptr; process = process->next) {
    set(process->users, process == kept->process ? 1 : 0);
  }
  // Nothing is pending in a fork child.
  for (bool& held : kept->has_held) {
    if (held) held = false;
  }
  if (kept->process->locked.Relaxed() != 0) kept->process->locked.StoreRelaxed(0);
}

int64_t SetBlockStack(ThreadBlock* block) {
  const AltStack stack = {StackOf(block), 0, 0, kBlockStackSize};
  return Native(Nr::sigaltstack, &stack, nullptr);
}

int64_t Arm() {
  // From behind the traps to the end of the image, whose last part are stubs of rewritten sites; what lies between is
  // not executable.
  const uint64_t start = Label(guise_traps_end);
  return Native(Nr::prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, start, Label(_end) - start, 0);
}

ProcessState* TakeProcessState() {
  for (ProcessState* process = g_processes.Acquire(); process != nullptr; process = process->next) {
    if (process->users.Relaxed() == 0 && process->users.CompareSwap(0, 1)) return process;
  }
  auto* process =
      TakesFirst(g_gave_process) ? &g_first_process : static_cast<ProcessState*>(MapMemory(sizeof(ProcessState)));
  if (process == nullptr) return nullptr;
  process->users.StoreRelaxed(1);
  process->record = kNoRecord;
  Push(g_processes, process);
  return process;
}

void AddUser(ProcessState* process) { process->users.Add(1); }
bool DropUser(ProcessState* process) { return process->users.Add(static_cast<uint32_t>(-1)) == 1; }

ProcessState* CopyProcessState(const ProcessState& from) {
  ProcessState* const copy = TakeProcessState();
  if (copy == nullptr) return nullptr;
  copy->record = kNoRecord;
  copy->generation = 0;
  copy->pid = 0;
  copy->locked.StoreRelaxed(0);
  copy->keeps_text = from.keeps_text;
  copy->landlocked = from.landlocked;
  copy->landlock_layers = from.landlock_layers;
  copy->image_fd = from.image_fd;
  copy->request_fd = from.request_fd;
  copy->reply_fd = from.reply_fd;
  copy->program_fd = from.program_fd;
  for (int signal = 1; signal <= kSignals; ++signal) {
    Disposition& to = copy->dispositions[signal];
    uint32_t sequence;
    do {
      sequence = from.dispositions[signal].sequence.Acquire();
      to.actions[sequence & 1] = from.dispositions[signal].actions[sequence & 1];
      wire::AcquireFence();
    } while (from.dispositions[signal].sequence.Relaxed() != sequence);
    to.sequence.StoreRelaxed(sequence);
  }
  return copy;
}

}  // namespace guise::shim
