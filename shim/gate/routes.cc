#include "shim/gate/routes.h"

#include <asm/prctl.h>

#include <initializer_list>

#include "proto/wire/layout.h"
#include "proto/wire/published.h"
#include "shim/arch/x86_64/cpu.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/gate/looks.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/placement.h"
#include "shim/thread/records.h"
#include "shim/view/hiding.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::Cell;

static_assert(wire::kTableNumbers == GUISE_TABLE_NUMBERS);
static_assert(static_cast<uint8_t>(wire::DirectWay::kValue) == GUISE_WAY_VALUE);
static_assert(static_cast<uint8_t>(wire::DirectWay::kFold) == GUISE_WAY_FOLD);
static_assert(static_cast<uint8_t>(wire::DirectWay::kAttempt) == GUISE_WAY_ATTEMPT);
static_assert(offsetof(wire::DirectWord, way) == 0 && offsetof(wire::DirectWord, counter) == 1);
static_assert(offsetof(wire::DirectWord, nr) == 2 && offsetof(wire::DirectWord, value) == 4);
static_assert(wire::kFoldBits == 4 && wire::kFoldArguments == 6);

bool g_has_fsgsbase;

// Lets nothing through.
struct ClosedTable {
  Cell<uint64_t> words[wire::kTableNumbers];
};
GUISE_TABLE ClosedTable g_closed;

// Of %gs. ABI: FSGSBASE lets programs change it; arch_prctl(2) does on every CPU.
bool SetBase(uint64_t base) {
  if (!g_has_fsgsbase) return !IsError(Native(Nr::arch_prctl, ARCH_SET_GS, base));
  SetGsBase(base);
  return true;
}

// arch_prctl(2) of a base. ABI: arch/x86/kernel/process_64.c, do_arch_prctl_64().
int64_t DoWithInstructions(int32_t command, uint64_t argument) {
  if (command == ARCH_GET_FS) return WriteGuest(argument, FsBase()) ? 0 : -EFAULT;
  if (command == ARCH_GET_GS) return WriteGuest(argument, GsBase()) ? 0 : -EFAULT;
  if (argument >= kTaskEnd) return -EPERM;
  if (command == ARCH_SET_FS) {
    SetFsBase(argument);
  } else {
    SetGsBase(argument);
  }
  return 0;
}

// As execve(2) leaves it.
bool IsUnused() {
  uint64_t base = 0;
  if (g_has_fsgsbase) {
    base = GsBase();
  } else {
    Native(Nr::arch_prctl, ARCH_GET_GS, &base);
  }
  return base == 0 && GsSelector() == 0;
}

void TellBelowGuarded(const ProcessState* process, int32_t below) {
  for (ThreadBlock* block = FirstBlock(); block != nullptr; block = block->next) {
    if (block->used.Acquire() == 0 || block->process != process) continue;
    if (block->below_guarded.Relaxed() != below) block->below_guarded.Release(below);
  }
}

}  // namespace

bool IsMadeOtherwise(Nr nr) {
  const Looks looks = LooksOf(nr);
  return looks.paths != 0 || looks.Has(Look::kOld);
}

Route RouteOf(Nr nr) {
  const Looks looks = LooksOf(nr);
  int arguments = 0;
  AnyArgument(looks.fds | looks.paths, [&](size_t) { return ++arguments > kStubLooks; });
  const bool may_meet_hidden = (looks.paths != 0 || looks.Has(Look::kAddress)) && Hides();
  return looks.OfNumber() == 0 && !may_meet_hidden && arguments <= kStubLooks ? Route::kStub : Route::kGate;
}

void NoteHardware(uint64_t hwcap2) {
  constexpr uint64_t kFsgsbase = 2;  // HWCAP2_FSGSBASE
  g_has_fsgsbase = (hwcap2 & kFsgsbase) != 0;
}

void TakeGs(ThreadBlock* block) {
  if (RootReply().published.rewrite_after.Relaxed() == 0) return;
  if (block->cookie == 0 && !block->inherits_gs && !IsUnused()) block->leaves_gs = true;
  if (block->leaves_gs) {
    block->cookie = 0;
    return;
  }
  // A fork child has its parent's.
  if (block->cookie == 0 && !SetBase(reinterpret_cast<uint64_t>(block))) return;
  block->cookie = GUISE_COOKIE_VALUE;
  block->self = block;
  constexpr size_t kConstants = sizeof(wire::kFoldConstants) / sizeof(wire::kFoldConstants[0]);
  for (size_t i = 0; i < kConstants; ++i) {
    block->fold_words[wire::kFoldArguments + i] = Word(wire::kFoldConstants[i]);
  }
  block->calls = &RecordOf(block).calls[static_cast<uint32_t>(wire::Placement::kKernel)][0];
  UpdateRoutes(block);
  UpdateGuarded(block->process);
}

bool HoldsGs(const ThreadBlock* block) { return guise_gs_self() == block; }

void NoteGs(ThreadBlock* block) {
  if (block->cookie != 0 && !HoldsGs(block)) block->leaves_gs = true;
}

void UpdateRoutes(ThreadBlock* block) {
  if (block->cookie == 0) return;
  const bool open =
      block->filters.Acquire() == nullptr && !block->dispatch.on && !block->blocks_sigsys && !block->asked_for_trace;
  const Cell<uint64_t>* wanted = DirectTable();
  if (!open) {
    wanted = g_closed.words;
    if (g_closed.words[0].Relaxed() == 0) {
      for (Cell<uint64_t>& word : g_closed.words) {
        word.StoreRelaxed(static_cast<uint64_t>(wire::DirectWay::kLook));
      }
    }
  }
  if (block->direct.Relaxed() != wanted) block->direct.Release(wanted);
}

void CloseFdRoutes(const ProcessState* process) { TellBelowGuarded(process, 0); }

void UpdateGuarded(const ProcessState* process) {
  int32_t lowest = process->image_fd;
  for (const int32_t fd : GuardedFds(*process)) {
    if (fd >= 0 && fd < lowest) lowest = fd;
  }
  TellBelowGuarded(process, -lowest);
}

bool AnswerBases(ThreadBlock* block, const GuestCall& call, Outcome* outcome) {
  const auto command = static_cast<int32_t>(call.args[0]);
  switch (command) {
    case ARCH_GET_GS:
      if (block->cookie != 0 && HoldsGs(block)) {
        const uint64_t none = 0;
        *outcome = Outcome::Done(WriteGuest(call.args[1], none) ? 0 : -EFAULT);
        return true;
      }
      break;
    case ARCH_SET_GS:
    case ARCH_SET_FS:
    case ARCH_GET_FS:
      break;
    default:
      return false;
  }
  int64_t result = Perform(call);
  // A kernel without the call: the session's floor refuses it.
  if (result == -ENOSYS && g_has_fsgsbase) result = DoWithInstructions(command, call.args[1]);
  if (command == ARCH_SET_GS && !IsError(result)) block->leaves_gs = true;
  *outcome = Outcome::Done(result);
  return true;
}

}  // namespace guise::shim
