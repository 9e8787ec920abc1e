#include "server/floor/filter_builder.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/launch/errno_status.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

FilterBuilder::FilterBuilder(std::string purpose)
    : purpose_(std::move(purpose)), filter_(seccomp_init(SCMP_ACT_ALLOW)) {}

FilterBuilder::~FilterBuilder() { seccomp_release(filter_); }

void FilterBuilder::ForeignCalls(uint32_t action) {
  if (filter_ != nullptr && error_ == 0) error_ = seccomp_attr_set(filter_, SCMP_FLTATR_ACT_BADARCH, action);
}

void FilterBuilder::Rule(uint32_t action, syscall::Nr nr, const std::vector<scmp_arg_cmp>& arguments) {
  if (filter_ == nullptr || error_ != 0) return;
  error_ = seccomp_rule_add_array(filter_, action, static_cast<int>(nr), static_cast<unsigned>(arguments.size()),
                                  arguments.data());
}

absl::StatusOr<std::vector<sock_filter>> FilterBuilder::Program() const {
  if (filter_ == nullptr) return absl::ResourceExhaustedError(absl::StrCat("no memory for the filter of ", purpose_));
  const OwnedFd file(memfd_create("filter", MFD_CLOEXEC));
  if (!file) return ErrnoStatus(errno, "cannot make a memfd");
  const int error = error_ != 0 ? error_ : seccomp_export_bpf(filter_, file.get());
  if (error != 0) {
    return absl::InternalError(absl::StrCat("libseccomp refuses the filter of ", purpose_, " (error ", error, ")"));
  }
  const auto size = static_cast<size_t>(lseek(file.get(), 0, SEEK_END));
  std::vector<sock_filter> program(size / sizeof(sock_filter));
  if (size == 0 || pread(file.get(), program.data(), size, 0) != static_cast<ssize_t>(size)) {
    return absl::InternalError(absl::StrCat("the filter of ", purpose_, " cannot be read back"));
  }
  return program;
}

}  // namespace guise::server
