#include "shim/rewrite/mappings.h"

#include <linux/mman.h>
#include <linux/shm.h>

#include "shim/gate/routes.h"
#include "shim/guest_memory.h"
#include "shim/rewrite/book.h"
#include "shim/rewrite/known.h"
#include "shim/rewrite/rewrite.h"
#include "shim/rewrite/site_stub.h"
#include "shim/rewrite/text.h"
#include "shim/view/program.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint64_t kPageMask = 4095;

// The text of the program's ELF interpreter.
uint64_t g_interpreter;
uint64_t g_interpreter_end;

// Whether the interpreter makes the thread's call. What it maps is executed; what others do with text they map,
// emulators for one, is not known: they may read it, and follow a jump that leads out of it.
bool LoaderCalls(const ThreadBlock* block) {
  const uint64_t after = block->in_gate ? block->regs.rip : block->caught_behind.Relaxed();
  return after - g_interpreter < g_interpreter_end - g_interpreter;
}

// Whole pages, as the kernel takes it.
uint64_t Rounded(uint64_t size) { return (size + kPageMask) & ~kPageMask; }

void Change(ThreadBlock* block, uint64_t start, uint64_t size, bool restore) {
  KeepProgram(start, size);
  TextChanges(block, start, size, restore);
}

}  // namespace

void NoteInterpreter(uint64_t start, uint64_t end) {
  g_interpreter = start;
  g_interpreter_end = end;
}

bool MapsText(const GuestCall& call) {
  if (call.nr != Nr::mmap) return false;
  const uint64_t protection = call.args[2];
  const uint64_t flags = call.args[3];
  return (protection & PROT_EXEC) != 0 && (protection & PROT_WRITE) == 0 && (flags & MAP_TYPE) == MAP_PRIVATE &&
         (flags & MAP_ANONYMOUS) == 0;
}

void NoteMapped(ThreadBlock* block, const GuestCall& call, int64_t result) {
  if (IsError(result)) return;
  const auto start = static_cast<uint64_t>(result);
  const auto fd = static_cast<int32_t>(call.args[4]);
  const BookedFile file = MayRewrite(block) ? NoteLibrary(fd) : BookedFile{};
  const TextRange range = TextIn(file, start, start + Rounded(call.args[1]), call.args[5]);
  NoteText(range);
  if ((call.args[2] & PROT_READ) != 0 && LoaderCalls(block)) RewriteKnown(block, file, range, fd);
  if (HasRewritten() && block->cookie == 0) TakeGs(block);
}

void NoteMappings(ThreadBlock* block, const GuestCall& call) {
  const uint64_t at = call.args[0];
  const uint64_t size = Rounded(call.args[1]);
  switch (call.nr) {
    case Nr::mmap:
      if ((call.args[3] & MAP_FIXED) != 0) Change(block, at, size, false);
      return;
    case Nr::munmap:
    case Nr::remap_file_pages:
      return Change(block, at, size, false);
    case Nr::madvise:
      // Some advice drops pages, and with them what was written there.
      return Change(block, at, size, false);
    case Nr::process_madvise:
      // This process's own, perhaps.
      return ForVectors(call.args[1], call.args[2], [&](const GuestVector& vector) {
        Change(block, vector.start, Rounded(vector.size), false);
        return true;
      });
    case Nr::mprotect:
    case Nr::pkey_mprotect:
      // What cannot be read could not be told from other text either.
      return Change(block, at, size, (call.args[2] & PROT_WRITE) != 0 || (call.args[2] & PROT_READ) == 0);
    case Nr::mremap:
      // Text that moves is read at its new place as the program's own.
      Change(block, at, size != 0 ? size : kPageMask + 1, true);
      if ((call.args[3] & MREMAP_FIXED) != 0) Change(block, call.args[4], Rounded(call.args[2]), false);
      return;
    case Nr::shmat: {
      constexpr uint64_t kRemap = 040000;  // SHM_REMAP
      if ((call.args[2] & kRemap) == 0) return;
      shmid64_ds segment = {};
      if (!IsError(Native(Nr::shmctl, call.args[0], IPC_STAT, &segment))) {
        Change(block, call.args[1], Rounded(segment.shm_segsz), false);
      }
      return;
    }
    default:
      return;
  }
}

}  // namespace guise::shim
