#include "shim/gate/looks.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using syscall::Trait;

// Of the caller's own calls, and those that a frame is wanted for: what the row does not say.
constexpr bool IsCaught(const syscall::Row& row) {
  switch (row.nr) {
    case Nr::ptrace:
    case Nr::prctl:
    case Nr::seccomp:
    case Nr::arch_prctl:
    case Nr::landlock_restrict_self:
      return true;
    // No more than a note in the kernel.
    case Nr::set_robust_list:
    case Nr::set_tid_address:
    case Nr::rseq:
      return false;
    default:
      return row.Has(Trait::CallerOnly) || row.Has(Trait::CreatesTask);
  }
}

constexpr Looks Make(const syscall::Row& row) {
  Looks looks;
  if (IsCaught(row)) looks.Add(Look::kCaught);
  if (row.Has(Trait::TempMask)) looks.Add(Look::kTempMask);
  if (row.Has(Trait::ChangesMemoryMap)) looks.Add(Look::kMemory);
  if (row.Has(Trait::MayBlock)) looks.Add(Look::kMayBlock);
  if (HasAddress(row.nr)) looks.Add(Look::kAddress);
  if (row.Has(Trait::NotInGeneric)) looks.Add(Look::kOld);
  switch (row.nr) {
    case Nr::close_range:
    case Nr::fcntl:
    case Nr::pidfd_getfd:
    case Nr::kcmp:
      looks.Add(Look::kFdTable);
      break;
    case Nr::poll:
    case Nr::ppoll:
    case Nr::select:
    case Nr::pselect6:
    case Nr::sendmsg:
    case Nr::sendmmsg:
    case Nr::ioctl:
    case Nr::io_submit:
    case Nr::landlock_add_rule:
    case Nr::bpf:
    case Nr::fsconfig:
    case Nr::io_uring_register:
    case Nr::listmount:
    case Nr::mount_setattr:
    case Nr::mq_notify:
    case Nr::open_tree_attr:
    case Nr::prctl:
    case Nr::setsockopt:
    case Nr::statmount:
      looks.Add(Look::kFdLists);
      break;
    // Directory listings, in which /proc/*/fd would show the guarded fds, and others what is hidden.
    case Nr::getdents:
    case Nr::getdents64:
    // A domain that the process lies in since.
    case Nr::landlock_restrict_self:
      looks.Add(Look::kResult);
      break;
    case Nr::membarrier:
      looks.Add(Look::kBarriers);
      break;
    default:
      break;
  }
  const syscall::Positions positions = syscall::PositionsOf(static_cast<uint32_t>(row.nr));
  looks.paths = positions.paths;
  // Its source is a path where one is bound to another.
  if (row.nr == Nr::mount) looks.paths |= 1;
  looks.fds = positions.fds;
  return looks;
}

constexpr LooksTable MakeTable() {
  LooksTable table = {};
  for (Looks& looks : table.of) looks.Add(Look::kCaught);
  for (const syscall::Row& row : syscall::kTable) table.of[static_cast<uint32_t>(row.nr)] = Make(row);
  return table;
}

}  // namespace

constinit const LooksTable kLooks = MakeTable();

}  // namespace guise::shim
