#include "server/floor/generic_kernel.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/auxv.h>

#include <iterator>

#include "proto/syscall/table.h"
#include "server/floor/filter_builder.h"

namespace guise::server {
namespace {

using syscall::Nr;
using syscall::Trait;

// Whether programs can set %fs without arch_prctl. ABI: arch/x86/include/uapi/asm/hwcap2.h
bool HasFsgsbase(unsigned long hwcap2) {
  constexpr unsigned long kFsgsbase = 2;
  return (hwcap2 & kFsgsbase) != 0;
}

bool IsRefused(const syscall::Row& row) {
  if (!row.Has(Trait::NotInGeneric)) return false;
  if (row.nr == Nr::arch_prctl) return HasFsgsbase(getauxval(AT_HWCAP2));
  return row.nr != Nr::uretprobe && row.nr != Nr::uprobe;
}

}  // namespace

std::string ExceptedForCpu(unsigned long hwcap2) {
  if (HasFsgsbase(hwcap2)) return "";
  return "arch_prctl is excepted from --kernel generic: this CPU has no FSGSBASE, and programs cannot set %fs without";
}

absl::StatusOr<std::vector<sock_filter>> GenericKernelFilter() {
  FilterBuilder filter("a generic kernel");
  constexpr uint32_t kRefuse = SCMP_ACT_ERRNO(ENOSYS);
  // Calls of other architectures and x32 would be another way in.
  filter.ForeignCalls(kRefuse);
  for (const syscall::Row& row : syscall::kTable) {
    if (IsRefused(row)) filter.Rule(kRefuse, row.nr);
  }
  absl::StatusOr<std::vector<sock_filter>> program = filter.Program();
  if (!program.ok()) return program;
  // Calls from the kernel's half of the address space: the vsyscall page, where it is, is the kernel's own code.
  constexpr uint32_t kPageHalf = offsetof(seccomp_data, instruction_pointer) + sizeof(uint32_t);
  const sock_filter from_kernel[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kPageHalf),
                                     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffff, 0, 1),
                                     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  program->insert(program->begin(), std::begin(from_kernel), std::end(from_kernel));
  return program;
}

}  // namespace guise::server
