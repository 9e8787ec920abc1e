#include "shim/filter/guest_filters.h"

#include <linux/audit.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#include "shim/filter/bpf.h"
#include "shim/filter/forced.h"
#include "shim/gate/published.h"
#include "shim/gate/routes.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/memory.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// ABI: include/uapi/asm-generic/siginfo.h
constexpr int kSysSeccomp = 1;
constexpr uint32_t kAllActions = SECCOMP_RET_ACTION_FULL;
constexpr int kMaxErrno = 4095;

struct sock_fprog64 {
  uint16_t length;
  uint64_t program;
};

GuestFilter* NewFilter(const GuestFilter* next, uint32_t length) {
  const int64_t at =
      Native(Nr::mmap, nullptr, FilterSize(length), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (IsError(at)) return nullptr;
  NoteMemoryBeside();
  auto* const filter = reinterpret_cast<GuestFilter*>(at);
  filter->next = next;
  filter->length = length;
  return filter;
}

void Drop(GuestFilter* filter) { Native(Nr::munmap, filter, FilterSize(filter->length)); }

void Adopt(ThreadBlock* block, const GuestFilter* filter, uint64_t flags) {
  block->filters.Release(filter);
  if ((flags & SECCOMP_FILTER_FLAG_TSYNC) == 0) return;
  // The kernel has just found that all threads' filters are the beginning of this one's.
  ForOtherBlocks(block, [&](ThreadBlock* other) {
    if (other->process != block->process) return;
    other->filters.Release(filter);
    UpdateRoutes(other);
  });
}

// Put in front of a filter with a listener: what the shim does on its own account is nobody's to answer, least of all
// before the guest has the listener. The guest's calls are made in stubs and gates. None: the image lies across 4 GiB.
constexpr uint32_t kOwnCalls = 15;
bool AllowOwnCalls(sock_filter* to) {
  const uint64_t start = Label(__ehdr_start);
  if (start >> 32 != Label(etext) >> 32) return false;
  constexpr uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
  constexpr uint16_t kFrom = BPF_JMP | BPF_JGE | BPF_K;
  constexpr uint16_t kAt = BPF_JMP | BPF_JEQ | BPF_K;
  constexpr uint32_t kLow = offsetof(seccomp_data, instruction_pointer);
  constexpr uint32_t kSyscallSize = 2;
  const auto low = [](const char* label) { return static_cast<uint32_t>(Label(label)); };
  // Jumps are over so many instructions: if true, if not. The pointer is behind the call.
  const sock_filter filter[kOwnCalls] = {
      {kLoad, 0, 0, kLow + 4},
      {kAt, 0, 12, static_cast<uint32_t>(start >> 32)},
      {kLoad, 0, 0, kLow},
      {kFrom, 0, 10, low(__ehdr_start)},
      {kFrom, 9, 0, low(etext)},
      {kFrom, 0, 1, low(guise_stubs)},
      {kFrom, 0, 7, low(guise_stubs_end)},
      // Tail, exec and clone gates.
      {kFrom, 0, 1, low(guise_tail_gate)},
      {kFrom, 0, 5, low(guise_exit_gate)},
      {kAt, 4, 0, low(guise_step_gate_called)},
      {kAt, 3, 0, low(guise_wait_gate_call) + kSyscallSize},
      {kAt, 2, 0, low(guise_mask_gate_call) + kSyscallSize},
      {kAt, 1, 0, low(guise_perform_called)},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
      // As programs find it.
      {BPF_LD | BPF_W | BPF_IMM, 0, 0, 0},
  };
  memcpy(to, filter, sizeof(filter));
  return true;
}

// What the kernel says of a filter that is `wrong`: it finds fault with flags and permissions first. It is asked about
// one that it cannot read, or that has no instructions.
int64_t Refused(const GuestCall& native, const sock_fprog64* given, int64_t wrong) {
  GuestCall call = native;
  call.args[2] = 0;
  const int64_t of_flags = Perform(call);
  if (of_flags != -EFAULT || given == nullptr) return of_flags;
  const sock_fprog64 without = {given->length, 0};
  call.args[2] = Word(&without);
  const int64_t of_caller = Perform(call);
  return of_caller == -EINVAL ? wrong : of_caller;
}

int64_t SetFilter(ThreadBlock* block, const GuestCall& native, uint64_t flags, uint64_t at) {
  sock_fprog64 given;
  if (!ReadGuest(&given, at)) return Refused(native, nullptr, -EFAULT);
  if (given.length == 0 || given.length > BPF_MAXINSNS || given.program == 0) {
    return Refused(native, &given, -EINVAL);
  }
  // Who listens is told by the kernel; such a filter is its own.
  const bool listens = (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
  const bool exact = (RootReply().published.flags.Relaxed() & wire::kExactSeccomp) != 0;
  const bool adds = listens && !exact && given.length + kOwnCalls <= BPF_MAXINSNS;
  GuestFilter* const filter = NewFilter(block->filters.Relaxed(), given.length + (adds ? kOwnCalls : 0));
  if (filter == nullptr) return -ENOMEM;
  sock_filter* const program = filter->program + (adds && AllowOwnCalls(filter->program) ? kOwnCalls : 0);
  int64_t result = 0;
  if (!ReadGuest(program, given.program, given.length * sizeof(sock_filter))) result = -EFAULT;
  if (result == 0 && !IsGoodFilter(program, given.length)) result = -EINVAL;
  if (result != 0) {
    result = Refused(native, &given, result);
  } else {
    const auto length = static_cast<uint16_t>(program - filter->program + given.length);
    sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    const sock_fprog64 shown =
        listens || exact ? sock_fprog64{length, Word(&filter->program[0])} : sock_fprog64{1, Word(&allow)};
    GuestCall call = native;
    call.args[2] = Word(&shown);
    result = Perform(call);
    // A positive result with TSYNC is a thread that cannot follow; without it, a listener.
    const bool installed = result == 0 || (listens && result > 0);
    if (installed && !listens) {
      Adopt(block, filter, flags);
      return result;
    }
  }
  Drop(filter);
  return result;
}

int64_t SetStrict(ThreadBlock* block) {
  // ABI: seccomp_may_assign_mode(): a mode is final.
  const GuestFilter* const filters = block->filters.Relaxed();
  if (filters != nullptr) return filters->length == 0 ? 0 : -EINVAL;
  const GuestFilter* const strict = NewFilter(nullptr, 0);
  if (strict == nullptr) return -ENOMEM;
  block->filters.Release(strict);
  return 0;
}

// ABI: kernel/seccomp.c, __secure_computing_strict().
uint32_t Strictly(const GuestCall& call, uint32_t arch) {
  if (arch != AUDIT_ARCH_X86_64) return SECCOMP_RET_KILL_PROCESS;
  switch (call.nr) {
    case Nr::read:
    case Nr::write:
    case Nr::exit:
    case Nr::rt_sigreturn:
      return SECCOMP_RET_ALLOW;
    default:
      return SECCOMP_RET_KILL_THREAD;
  }
}

// ABI: seccomp_run_filters(): the strictest action of all, the newest of equals.
uint32_t Judge(const GuestFilter* filters, const seccomp_data& data) {
  uint32_t strictest = SECCOMP_RET_ALLOW;
  for (const GuestFilter* filter = filters; filter != nullptr; filter = filter->next) {
    const uint32_t word = RunFilter(filter->program, data);
    if (static_cast<int32_t>(word & kAllActions) < static_cast<int32_t>(strictest & kAllActions)) strictest = word;
  }
  return strictest;
}

constexpr char kName[] = "GUISE_FILTER=";
constexpr char kHex[] = "0123456789abcdef";

}  // namespace

bool AnswerSeccomp(ThreadBlock* block, const GuestCall& call, Outcome* outcome) {
  if (call.nr == Nr::seccomp) {
    const auto operation = static_cast<uint32_t>(call.args[0]);
    const uint64_t flags = call.args[1] & 0xffffffff;
    if (operation == SECCOMP_SET_MODE_STRICT) {
      *outcome = Outcome::Done(flags != 0 || call.args[2] != 0 ? -EINVAL : SetStrict(block));
      return true;
    }
    if (operation != SECCOMP_SET_MODE_FILTER) return false;
    *outcome = Outcome::Done(SetFilter(block, call, flags, call.args[2]));
    return true;
  }
  if (call.nr != Nr::prctl || static_cast<int32_t>(call.args[0]) != PR_SET_SECCOMP) return false;
  if (call.args[1] == SECCOMP_MODE_STRICT) {
    *outcome = Outcome::Done(SetStrict(block));
  } else if (call.args[1] == SECCOMP_MODE_FILTER) {
    *outcome = Outcome::Done(SetFilter(block, call, 0, call.args[2]));
  } else {
    return false;
  }
  return true;
}

bool StoppedByFilter(ThreadBlock* block, ucontext* context, GuestCall* call, uint32_t arch, Outcome* outcome) {
  const GuestFilter* const filters = block->filters.Acquire();
  const auto nr = static_cast<uint32_t>(call->nr);
  seccomp_data data = {};
  data.nr = static_cast<int>(nr);
  data.arch = arch;
  data.instruction_pointer = RegsOf(context)->rip;
  for (int i = 0; i < 6; ++i) data.args[i] = call->args[i];
  const bool strict = filters->length == 0;
  const uint32_t word = strict ? Strictly(*call, arch) : Judge(filters, data);
  const auto value = static_cast<int>(word & SECCOMP_RET_DATA);
  switch (word & kAllActions) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
      return false;
    case SECCOMP_RET_ERRNO:
      *outcome = Outcome::Done(-(value < kMaxErrno ? value : kMaxErrno));
      return true;
    case SECCOMP_RET_TRAP:
      ForceSigsys(block, context, SigsysOf(context, kSysSeccomp, nr, arch, value));
      *outcome = Outcome::Redirected();
      return true;
    case SECCOMP_RET_TRACE:       // a tracer is told by the kernel only
    case SECCOMP_RET_USER_NOTIF:  // and so is a listener, which this filter does not have
      *outcome = Outcome::Done(-ENOSYS);
      return true;
    case SECCOMP_RET_KILL_THREAD:
      if (strict) {
        Native(Nr::kill, Native(Nr::getpid), SIGKILL);
        return true;
      }
      if (block->process->users.Acquire() > 1) {
        // The thread alone, ABI: do_exit(SIGSYS).
        *call = {Nr::exit, {SIGSYS}};
        return false;
      }
      [[fallthrough]];
    default:
      KillBySigsys(SigsysOf(context, kSysSeccomp, nr, arch, value));
      *outcome = Outcome::Redirected();
      return true;
  }
}

size_t FilterTextSize(const GuestFilter* filters) {
  size_t size = 0;
  for (; filters != nullptr; filters = filters->next) {
    size += sizeof(kName) + 2 * sizeof(sock_filter) * filters->length;
  }
  return size;
}

uint32_t CountFilters(const GuestFilter* filters) {
  uint32_t count = 0;
  for (; filters != nullptr; filters = filters->next) ++count;
  return count;
}

char* WriteFilters(const GuestFilter* filters, uint64_t* end, char* to) {
  for (const GuestFilter* filter = filters; filter != nullptr; filter = filter->next) {
    *--end = Word(to);
    for (const char* name = kName; *name != 0; ++name) *to++ = *name;
    const auto* const bytes = reinterpret_cast<const uint8_t*>(filter->program);
    for (size_t i = 0; i < filter->length * sizeof(sock_filter); ++i) {
      *to++ = kHex[bytes[i] >> 4];
      *to++ = kHex[bytes[i] & 15];
    }
    *to++ = 0;
  }
  return to;
}

bool ReadFilter(ThreadBlock* block, const char* text) {
  if (!StartsWith(text, kName)) return false;
  text += Length(kName);
  const size_t digits = Length(text);
  constexpr size_t kDigits = 2 * sizeof(sock_filter);
  if (digits % kDigits != 0 || digits / kDigits > BPF_MAXINSNS) return false;
  GuestFilter* const filter = NewFilter(block->filters.Relaxed(), static_cast<uint32_t>(digits / kDigits));
  if (filter == nullptr) return false;
  auto* const bytes = reinterpret_cast<uint8_t*>(filter->program);
  for (size_t i = 0; i < digits / 2; ++i) {
    const int high = HexValue(text[2 * i]);
    const int low = HexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  if (filter->length != 0 && !IsGoodFilter(filter->program, filter->length)) return false;
  block->filters.Release(filter);
  return true;
}

}  // namespace guise::shim
