#include "shim/view/ranges.h"

#include <linux/mman.h>
#include <linux/shm.h>

#include "shim/arch/x86_64/gates.h"
#include "shim/filter/guest_filters.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/rewrite/areas.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint64_t kPageMask = 4095;

struct Range {
  uint64_t start;
  uint64_t size;

  // Whole pages, as the kernel takes it. A range that wraps around is the kernel's to refuse.
  bool Meets(uint64_t at, uint64_t length) const {
    const uint64_t first = start & ~kPageMask;
    const uint64_t end = (start + size + kPageMask) & ~kPageMask;
    const uint64_t other_end = (at + length + kPageMask) & ~kPageMask;
    return size != 0 && length != 0 && first < other_end && at < end;
  }
};

constexpr uint64_t kNone = ~uint64_t{0};

// The lowest mapping of the shim's that the range meets, where it begins; kNone.
uint64_t LowestOfShim(const Range& asked) {
  uint64_t lowest = kNone;
  const auto look = [&](const void* at, uint64_t size) {
    if (asked.Meets(Word(at), size) && Word(at) < lowest) lowest = Word(at);
  };
  const uint64_t image = Label(__ehdr_start);
  look(reinterpret_cast<const void*>(image), Label(_end) - image);
  for (uint32_t i = 0; i < kMappedMemories; ++i) {
    const MappedMemory memory = MappedMemoryAt(i);
    look(memory.start, memory.size);
  }
  for (uint32_t i = 0; i < kStubAreas; ++i) {
    const StubArea area = StubAreaAt(i);
    look(reinterpret_cast<const void*>(area.start), area.size);
  }
  for (uint32_t i = 0; i < BlockSlabs(); ++i) {
    const BlockSlab slab = BlockSlabAt(i);
    look(reinterpret_cast<const void*>(slab.start), slab.size);
  }
  const ThreadBlock* block = HasMemoryBeside() ? FirstBlock() : nullptr;
  for (; block != nullptr; block = block->next) {
    const GuestFilter* filter = block->filters.Acquire();
    for (; filter != nullptr; filter = filter->next) look(filter, FilterSize(filter->length));
    const void* const scratch = block->exec_scratch.Acquire();
    look(scratch, scratch == nullptr ? 0 : block->exec_scratch_size.Relaxed());
  }
  for (const ProcessState* process = FirstProcessState(); process != nullptr; process = process->next) {
    look(process, sizeof(ProcessState));
  }
  return lowest;
}

bool HasShim(const Range& asked) { return LowestOfShim(asked) != kNone; }

bool BeginsInPage(uint64_t at) { return (at & kPageMask) != 0; }

// Ends behind what any task has, with page tables of five levels, too.
bool EndsBeyondTasks(const Range& asked) {
  constexpr uint64_t kMost = uint64_t{1} << 56;
  return asked.start > kMost || asked.size > kMost - asked.start;
}

// ABI: mm/mmap.c, mm/vma.c, mm/mremap.c: what is to be replaced is looked at by its bounds first.
bool Replaces(const Range& asked) { return !BeginsInPage(asked.start) && !EndsBeyondTasks(asked) && HasShim(asked); }

// ABI: mm/mprotect.c, do_mprotect_pkey(): it goes from page to page, and ends with ENOMEM at the first that is not
// mapped.
bool IsProtected(const Range& asked) {
  if (BeginsInPage(asked.start)) return false;
  const uint64_t lowest = LowestOfShim(asked);
  if (lowest == kNone) return false;
  return asked.start >= lowest || Native(Nr::msync, asked.start, lowest - asked.start, MS_ASYNC) != -ENOMEM;
}

// Advice after which memory reads differently, or is missing in a child.
bool Destroys(int32_t advice) {
  constexpr int32_t kGuardInstall = 102;  // MADV_GUARD_INSTALL, Linux 6.13
  constexpr int32_t kDontNeedLocked = 24;
  switch (advice) {
    case MADV_DONTNEED:
    case MADV_FREE:
    case MADV_REMOVE:
    case MADV_DONTFORK:
    case MADV_WIPEONFORK:
    case MADV_HWPOISON:
    case MADV_SOFT_OFFLINE:
    case kDontNeedLocked:
    case kGuardInstall:
      return true;
    default:
      return false;
  }
}

// ABI: mm/madvise.c: such advice is for the caller's own memory alone, whatever the pidfd.
bool AdvisedRanges(const GuestCall& call) {
  if (!Destroys(static_cast<int32_t>(call.args[3]))) return false;
  bool has_shim = false;
  ForVectors(call.args[1], call.args[2], [&](const GuestVector& vector) {
    has_shim = HasShim({vector.start, vector.size});
    return !has_shim;
  });
  return has_shim;
}

bool AttachedOver(const GuestCall& call) {
  constexpr uint64_t kRemap = 040000;  // SHM_REMAP
  if ((call.args[2] & kRemap) == 0) return false;
  shmid64_ds segment = {};
  if (IsError(Native(Nr::shmctl, call.args[0], IPC_STAT, &segment))) return false;
  return HasShim({call.args[1], segment.shm_segsz});
}

bool Concerns(const GuestCall& call) {
  switch (call.nr) {
    case Nr::mmap:
      return (call.args[3] & MAP_FIXED) != 0 && Replaces({call.args[0], call.args[1]});
    case Nr::munmap:
      return Replaces({call.args[0], call.args[1]});
    case Nr::mprotect:
    case Nr::pkey_mprotect:
      return IsProtected({call.args[0], call.args[1]});
    case Nr::remap_file_pages:
      return HasShim({call.args[0], call.args[1]});
    case Nr::mremap:
      if (BeginsInPage(call.args[0])) return false;
      if (HasShim({call.args[0], call.args[1] != 0 ? call.args[1] : 1})) return true;
      return (call.args[3] & MREMAP_FIXED) != 0 && Replaces({call.args[4], call.args[2]});
    case Nr::madvise:
      return Destroys(static_cast<int32_t>(call.args[2])) && !BeginsInPage(call.args[0]) &&
             HasShim({call.args[0], call.args[1]});
    case Nr::process_madvise:
      return AdvisedRanges(call);
    case Nr::shmat:
      return AttachedOver(call);
    default:
      return false;
  }
}

}  // namespace

bool AnswerForRanges(const GuestCall& call, Outcome* outcome) {
  if (!Concerns(call)) return false;
  *outcome = Outcome::Done(-EPERM);
  return true;
}

}  // namespace guise::shim
