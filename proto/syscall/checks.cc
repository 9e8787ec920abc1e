// What must hold of the syscall table, proved by the compiler. A false row does not build; the message of the
// static_assert names the rule, and the note below it the first number that breaks it.
#include "proto/syscall/table.h"

namespace guise::syscall {
namespace {

// The first number whose row breaks the rule, or -1.
template <typename Rule>
constexpr int64_t Breaks(Rule rule) {
  for (const Row& row : kTable) {
    if (!rule(row)) return static_cast<int64_t>(row.nr);
  }
  return -1;
}

template <int64_t kNr>
constexpr bool NoRowBreaks() {
  static_assert(kNr == -1, "the number in NoRowBreaks<> names the row");
  return kNr == -1;
}

#define CHECK_EACH_ROW(rule, message) static_assert(NoRowBreaks<Breaks([](const Row& row) { return rule; })>(), message)

constexpr uint32_t Number(const Row& row) { return static_cast<uint32_t>(row.nr); }

constexpr bool Sorted() {
  for (size_t i = 1; i < kRowCount; ++i) {
    if (Number(kTable.rows[i - 1]) >= Number(kTable.rows[i])) return false;
  }
  return true;
}
static_assert(Sorted(), "rows are sorted by number, each number once");
static_assert(Number(kTable.rows[kRowCount - 1]) < kNumbers, "numbers fit the tables that they index");

constexpr bool FindsItself(const Row& row) { return Find(Number(row)) == &row; }
CHECK_EACH_ROW(FindsItself(row), "Find() and the table agree");
static_assert(Find(kNumbers) == nullptr && Find(0xffffffff) == nullptr && Find(337) == nullptr);

constexpr bool Has(uint32_t first, uint32_t last) {
  for (uint32_t nr = first; nr <= last; ++nr) {
    if (Find(nr) == nullptr) return false;
  }
  return true;
}
static_assert(Has(0, 336) && Has(424, 470), "no number is missing");

// Arguments.
constexpr bool NoGaps(const Row& row) {
  for (size_t i = row.Arity(); i < kMaxArgs; ++i) {
    if (row.args[i].exists()) return false;
  }
  return true;
}
CHECK_EACH_ROW(NoGaps(row), "arguments are contiguous");

constexpr bool NeedsLength(ArgKind kind) {
  switch (kind) {
    case ArgKind::BufIn:
    case ArgKind::BufOut:
    case ArgKind::ArrayIn:
    case ArgKind::ArrayOut:
    case ArgKind::ArrayInOut:
    case ArgKind::IovecIn:
    case ArgKind::IovecOut:
    case ArgKind::MMsgHdrIn:
    case ArgKind::MMsgHdrOut:
    case ArgKind::SockAddrIn:
    case ArgKind::SigSetIn:
    case ArgKind::SigSetOut:
    case ArgKind::FdSet:
    case ArgKind::BitsIn:
    case ArgKind::BitsOut:
    case ArgKind::PagesOut:
    case ArgKind::XattrIn:
    case ArgKind::XattrOut:
      return true;
    default:
      return false;
  }
}

constexpr bool LinksFit(const Row& row) {
  for (const Arg& arg : row.Args()) {
    const bool to_pointer = arg.kind == ArgKind::BufOutVar || arg.kind == ArgKind::SockAddrOut;
    const bool to_header = arg.kind == ArgKind::CapsIn || arg.kind == ArgKind::CapsOut;
    const bool to_length = NeedsLength(arg.kind);
    if (arg.has_link() != (to_pointer || to_header || to_length)) return false;
    if (!arg.has_link()) continue;
    if (arg.link >= row.Arity() || &row.args[arg.link] == &arg) return false;
    const ArgKind target = row.args[arg.link].kind;
    if (to_length && !IsSize(target)) return false;
    if (to_pointer && target != ArgKind::LenPtr) return false;
    if (to_header && target != ArgKind::StructInOut) return false;
  }
  return true;
}
CHECK_EACH_ROW(LinksFit(row), "a length is a size of the same row, a length pointer a LenPtr");

constexpr bool SizesFit(const Row& row) {
  for (const Arg& arg : row.Args()) {
    switch (arg.kind) {
      case ArgKind::StructIn:
      case ArgKind::StructOut:
      case ArgKind::StructInOut:
      case ArgKind::ArrayIn:
      case ArgKind::ArrayOut:
      case ArgKind::ArrayInOut:
        if (arg.bytes == 0) return false;
        break;
      case ArgKind::Str:    // 0: no limit
      case ArgKind::BufIn:  // 0: no prefix
      case ArgKind::BufOut:
      case ArgKind::SizedIn:  // 0: the size comes first
        break;
      default:
        if (arg.bytes != 0) return false;
    }
  }
  return true;
}
CHECK_EACH_ROW(SizesFit(row), "kinds with a size have one, others have none");

constexpr bool NullableFits(const Row& row) {
  for (const Arg& arg : row.Args()) {
    if (arg.nullable && (!arg.is_pointer() || arg.kind == ArgKind::Ptr)) return false;
  }
  return true;
}
CHECK_EACH_ROW(NullableFits(row), "only pointers of a known kind are optional");

constexpr bool BoundsFit(const Row& row) {
  for (const Arg& arg : row.Args()) {
    if (!arg.result_bounded) continue;
    const Access access = arg.access();
    if (access != Access::Out && access != Access::InOut) return false;
    if (row.result != Result::Bytes && row.result != Result::Count && row.nr != Nr::syslog) return false;
  }
  return true;
}
CHECK_EACH_ROW(BoundsFit(row), "Upto is for outputs of calls that answer bytes or counts");

constexpr bool DirFdHasPath(const Row& row) {
  for (size_t i = 0; i < row.Arity(); ++i) {
    if (row.args[i].kind != ArgKind::DirFd) continue;
    if (i + 1 >= row.Arity()) return false;
    const ArgKind next = row.args[i + 1].kind;
    if (next != ArgKind::Path && next != ArgKind::HandleIn) return false;
  }
  return true;
}
CHECK_EACH_ROW(DirFdHasPath(row), "a DirFd stands before its Path");

// Traits.
constexpr bool Holds(bool premise, bool conclusion) { return !premise || conclusion; }

constexpr bool NextFits(const Row& row) {
  if (row.next == kNoNr) return true;
  if (!row.traits.HasAny(Trait::Obsolete | Trait::Removed | Trait::NeverWired)) return false;
  const Row* next = Find(static_cast<uint32_t>(row.next));
  return next != nullptr && !next->Has(Trait::Obsolete) && !IsGone(*next);
}
CHECK_EACH_ROW(NextFits(row), "what supersedes a call is itself current");

constexpr int LivesOf(const Row& row) {
  return int{row.Has(Trait::Obsolete)} + int{row.Has(Trait::Removed)} + int{row.Has(Trait::NeverWired)};
}
CHECK_EACH_ROW(LivesOf(row) <= 1, "Obsolete, Removed and NeverWired exclude each other");
CHECK_EACH_ROW(row.Has(Trait::Removed) == (row.kernels.until != 0), "Removed rows say when");
CHECK_EACH_ROW(row.Has(Trait::NeverWired) == (row.kernels.since == Kernels::kNever), "NeverWired rows say Never");
CHECK_EACH_ROW(Holds(row.result == Result::Nosys, row.Has(Trait::NeverWired)), "what is wired has a result");

constexpr bool HasTempMaskArg(const Row& row) {
  for (const Arg& arg : row.Args()) {
    if (arg.kind == ArgKind::SigSetIn || arg.kind == ArgKind::SigSetPack) return true;
  }
  return row.nr == Nr::io_uring_enter;  // its argument 4 is one only if the flags say so
}
CHECK_EACH_ROW(Holds(row.Has(Trait::TempMask), HasTempMaskArg(row) && row.Has(Trait::MayBlock)),
               "a temporary mask needs a mask and a wait");
CHECK_EACH_ROW(Holds(row.traits.HasAny(Trait::Restartable | Trait::RestartNoHand | Trait::RestartBlock),
                     row.Has(Trait::MayBlock)),
               "only a wait can be restarted");
CHECK_EACH_ROW(Holds(row.Has(Trait::CreatesTask) || row.result == Result::NoReturn, row.Has(Trait::CallerOnly)),
               "tasks begin and end in the guest's own context");
CHECK_EACH_ROW(Holds(row.result == Result::Fd, row.Has(Trait::MakesFd)), "a call that answers an fd makes one");

constexpr Nr kCallerOnly[] = {
    Nr::rt_sigaction,  Nr::rt_sigprocmask,  Nr::rt_sigreturn, Nr::clone,           Nr::fork,
    Nr::vfork,         Nr::execve,          Nr::exit,         Nr::rt_sigpending,   Nr::rt_sigtimedwait,
    Nr::rt_sigsuspend, Nr::sigaltstack,     Nr::arch_prctl,   Nr::set_tid_address, Nr::restart_syscall,
    Nr::exit_group,    Nr::set_robust_list, Nr::seccomp,      Nr::execveat,        Nr::rseq,
    Nr::uretprobe,     Nr::uprobe,          Nr::clone3,
};
constexpr bool IsCallerOnly(Nr nr) {
  for (Nr listed : kCallerOnly) {
    if (listed == nr) return true;
  }
  return false;
}
CHECK_EACH_ROW(row.Has(Trait::CallerOnly) == IsCallerOnly(row.nr), "CallerOnly is a closed set: think twice");

}  // namespace
}  // namespace guise::syscall
