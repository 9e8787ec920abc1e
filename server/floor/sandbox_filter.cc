#include "server/floor/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>

#include "proto/syscall/table.h"
#include "server/floor/filter_builder.h"

namespace guise::server {
namespace {

using syscall::Nr;
using syscall::Trait;

// Sensitive calls that change the caller, or its own memory, and gain nothing: the caller has no capabilities, and
// cannot get any.
constexpr Nr kOwnBusiness[] = {Nr::setuid,    Nr::setgid,    Nr::setreuid, Nr::setregid,      Nr::setgroups,
                               Nr::setresuid, Nr::setresgid, Nr::setfsuid, Nr::setfsgid,      Nr::capset,
                               Nr::prctl,     Nr::seccomp,   Nr::mbind,    Nr::set_mempolicy, Nr::personality};

// Programs ask whether there is such a call, and go on without.
constexpr Nr kNotThere[] = {Nr::clone3, Nr::io_uring_setup, Nr::io_uring_enter, Nr::io_uring_register};

template <size_t kSize>
bool IsAmong(const Nr (&numbers)[kSize], Nr nr) {
  return std::find(std::begin(numbers), std::end(numbers), nr) != std::end(numbers);
}

constexpr uint64_t kNamespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                    CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

// ABI: the kernel looks at the low half of both.
constexpr uint64_t kLow = 0xffffffff;

}  // namespace

absl::StatusOr<std::vector<sock_filter>> SandboxFilter(const FilterGaps& gaps) {
  FilterBuilder filter("a sandbox");
  constexpr uint32_t kRefuse = SCMP_ACT_ERRNO(EPERM);
  constexpr uint32_t kNotHere = SCMP_ACT_ERRNO(ENOSYS);
  filter.ForeignCalls(kNotHere);
  for (const syscall::Row& row : syscall::kTable) {
    if (!row.Has(Trait::Sensitive) || IsGone(row) || IsAmong(kOwnBusiness, row.nr) || row.nr == Nr::clone) continue;
    filter.Rule(IsAmong(kNotThere, row.nr) ? kNotHere : kRefuse, row.nr);
  }
  for (const uint64_t space : kNamespaces) {
    filter.Rule(kRefuse, Nr::clone, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, space, space)});
  }
  for (const uint64_t command : {TIOCSTI, TIOCLINUX}) {
    filter.Rule(kRefuse, Nr::ioctl, {SCMP_A1_64(SCMP_CMP_MASKED_EQ, kLow, command)});
  }
  // The caller's process group: 0.
  constexpr uint64_t kPrioGroup = PRIO_PGRP;
  constexpr uint64_t kIoprioGroup = 2;  // IOPRIO_WHO_PGRP
  const scmp_arg_cmp own_group = SCMP_A1_64(SCMP_CMP_MASKED_EQ, kLow, 0);
  filter.Rule(kRefuse, Nr::setpriority, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, kPrioGroup), own_group});
  filter.Rule(kRefuse, Nr::ioprio_set, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, kIoprioGroup), own_group});
  if (gaps.signals) filter.Rule(kRefuse, Nr::kill, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, 0)});
  if (gaps.lengths) {
    constexpr uint32_t kDenied = SCMP_ACT_ERRNO(EACCES);
    filter.Rule(kDenied, Nr::truncate);
    filter.Rule(kNotHere, Nr::openat2);
    // ABI: fs/namei.c, do_open(): it truncates whatever the access mode, and Landlock sees those with writing alone.
    constexpr uint64_t kSeen = O_ACCMODE | O_TRUNC;
    for (const uint64_t mode : {O_RDONLY, O_ACCMODE}) {
      filter.Rule(kDenied, Nr::open, {SCMP_A1_64(SCMP_CMP_MASKED_EQ, kSeen, mode | O_TRUNC)});
      filter.Rule(kDenied, Nr::openat, {SCMP_A2_64(SCMP_CMP_MASKED_EQ, kSeen, mode | O_TRUNC)});
    }
  }
  constexpr uint32_t kNoFamily = SCMP_ACT_ERRNO(EAFNOSUPPORT);
  constexpr int kMostFamilies = 64;
  for (int family = 0; family < kMostFamilies; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK) continue;
    const auto asked = static_cast<scmp_datum_t>(family);
    filter.Rule(kNoFamily, Nr::socket, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, asked)});
  }
  return filter.Program();
}

}  // namespace guise::server
