#include "server/launch/generic_kernel.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/syscall/table.h"
#include "server/launch/errno_status.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

using syscall::Nr;
using syscall::Trait;

bool IsRefused(const syscall::Row& row) {
  if (!row.Has(Trait::NotInGeneric)) return false;
  if (row.nr == Nr::arch_prctl) return RefusesArchPrctl();
  return row.nr != Nr::uretprobe && row.nr != Nr::uprobe;
}

absl::Status Refused(int error) {
  return absl::InternalError(absl::StrCat("libseccomp refuses the filter of a generic kernel (error ", error, ")"));
}

}  // namespace

bool RefusesArchPrctl() {
  constexpr unsigned long kFsgsbase = 2;  // HWCAP2_FSGSBASE
  return (getauxval(AT_HWCAP2) & kFsgsbase) != 0;
}

absl::StatusOr<std::vector<sock_filter>> GenericKernelFilter() {
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_ALLOW), &seccomp_release);
  if (filter == nullptr) return absl::ResourceExhaustedError("no memory for the filter of a generic kernel");
  constexpr uint32_t kRefuse = SCMP_ACT_ERRNO(ENOSYS);
  // Calls of other architectures and x32 would be another way in.
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, kRefuse);
  for (const syscall::Row& row : syscall::kTable) {
    if (error == 0 && IsRefused(row)) error = seccomp_rule_add(filter.get(), kRefuse, static_cast<int>(row.nr), 0);
  }
  if (error != 0) return Refused(error);
  const OwnedFd file(memfd_create("filter", MFD_CLOEXEC));
  if (!file) return ErrnoStatus(errno, "cannot make a memfd");
  error = seccomp_export_bpf(filter.get(), file.get());
  if (error != 0) return Refused(error);
  // Calls from the kernel's half of the address space: the vsyscall page, where it is, is the kernel's own code.
  constexpr uint32_t kPageHalf = offsetof(seccomp_data, instruction_pointer) + sizeof(uint32_t);
  std::vector<sock_filter> program = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kPageHalf),
                                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffff, 0, 1),
                                      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const size_t own = program.size();
  const auto size = static_cast<size_t>(lseek(file.get(), 0, SEEK_END));
  program.resize(own + size / sizeof(sock_filter));
  if (size == 0 || pread(file.get(), program.data() + own, size, 0) != static_cast<ssize_t>(size)) {
    return absl::InternalError("the filter of a generic kernel cannot be read back");
  }
  return program;
}

}  // namespace guise::server
