#include "server/floor/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include <algorithm>
#include <iterator>

#include "proto/syscall/table.h"
#include "server/floor/filter_builder.h"

namespace guise::server {
namespace {

using syscall::Nr;
using syscall::Trait;

// Sensitive calls that change the caller, or its own memory, and gain nothing, or only tell: the caller has no
// capabilities, and cannot get any.
constexpr Nr kOwnBusiness[] = {Nr::setuid,    Nr::setgid,       Nr::setreuid, Nr::setregid,      Nr::setgroups,
                               Nr::setresuid, Nr::setresgid,    Nr::setfsuid, Nr::setfsgid,      Nr::capset,
                               Nr::prctl,     Nr::seccomp,      Nr::mbind,    Nr::set_mempolicy, Nr::personality,
                               Nr::adjtimex,  Nr::clock_adjtime};

// Programs ask whether there is such a call, and go on without.
constexpr Nr kNotThere[] = {Nr::clone3, Nr::io_uring_setup, Nr::io_uring_enter, Nr::io_uring_register};

// What is the user's wherever its processes are, without an IPC namespace.
constexpr Nr kByName[] = {Nr::shmget,  Nr::shmctl,    Nr::semget, Nr::semctl,     Nr::msgget, Nr::msgctl, Nr::shmat,
                          Nr::mq_open, Nr::mq_unlink, Nr::semop,  Nr::semtimedop, Nr::msgsnd, Nr::msgrcv};

// Of files whose owner the caller is, which need not lie below a writable path: descriptors 0, 1 and 2.
// ABI: FS_IOC_ENABLE_VERITY of linux/fsverity.h, EXT4_IOC_SETVERSION of linux/ext4.h.
constexpr uint64_t kFileAttributes[] = {FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, FS_IOC_SETVERSION, 0x40806685, 0x40086604};

template <size_t kSize>
bool IsAmong(const Nr (&numbers)[kSize], Nr nr) {
  return std::find(std::begin(numbers), std::end(numbers), nr) != std::end(numbers);
}

constexpr uint64_t kNamespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                    CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

// ABI: the kernel looks at the low half of both.
constexpr uint64_t kLow = 0xffffffff;

// In front of the rules: calls that are newer than the table, which nobody has looked at, are not there.
absl::StatusOr<std::vector<sock_filter>> WithoutNewerCalls(absl::StatusOr<std::vector<sock_filter>> program) {
  if (!program.ok()) return program;
  uint32_t last = 0;
  for (const syscall::Row& row : syscall::kTable) last = std::max(last, static_cast<uint32_t>(row.nr));
  const sock_filter newer[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                               BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 0, 1),
                               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)};
  program->insert(program->begin(), std::begin(newer), std::end(newer));
  return program;
}

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
  const auto refuse_command = [&](Nr nr, uint64_t command) {
    filter.Rule(kRefuse, nr, {SCMP_A1_64(SCMP_CMP_MASKED_EQ, kLow, command)});
  };
  for (const uint64_t command : {TIOCSTI, TIOCLINUX, TIOCSETD, TIOCEXCL}) refuse_command(Nr::ioctl, command);
  // TCOOFF and TCIOFF: nothing is written to the terminal, or read from it, until somebody says so by the same call.
  for (const uint64_t off : {TCOOFF, TCIOFF}) {
    filter.Rule(kRefuse, Nr::ioctl,
                {SCMP_A1_64(SCMP_CMP_MASKED_EQ, kLow, TCXONC), SCMP_A2_64(SCMP_CMP_MASKED_EQ, kLow, off)});
  }
  for (const uint64_t command : kFileAttributes) refuse_command(Nr::ioctl, command);
  filter.Rule(kNotHere, Nr::file_setattr);
  // Who opens the file for writing would wait for the caller.
  refuse_command(Nr::fcntl, F_SETLEASE);
  // The caller's process group: 0.
  constexpr uint64_t kPrioGroup = PRIO_PGRP;
  constexpr uint64_t kIoprioGroup = 2;  // IOPRIO_WHO_PGRP
  const scmp_arg_cmp own_group = SCMP_A1_64(SCMP_CMP_MASKED_EQ, kLow, 0);
  filter.Rule(kRefuse, Nr::setpriority, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, kPrioGroup), own_group});
  filter.Rule(kRefuse, Nr::ioprio_set, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, kIoprioGroup), own_group});
  if (gaps.signals) {
    filter.Rule(kRefuse, Nr::kill, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, 0)});
    // The kernel sends these by itself, to a terminal's foreground group as well.
    refuse_command(Nr::fcntl, F_SETSIG);
    refuse_command(Nr::ioctl, FIOASYNC);
    filter.Rule(kRefuse, Nr::fcntl,
                {SCMP_A1_64(SCMP_CMP_MASKED_EQ, kLow, F_SETFL), SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_ASYNC, O_ASYNC)});
  }
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
  if (gaps.set_ids) {
    for (const uint64_t bit : {S_ISUID, S_ISGID}) {
      const auto has_bit = [bit](unsigned argument) { return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, bit, bit); };
      for (const Nr nr : {Nr::chmod, Nr::fchmod, Nr::creat, Nr::mknod}) filter.Rule(kRefuse, nr, {has_bit(1)});
      for (const Nr nr : {Nr::fchmodat, Nr::fchmodat2, Nr::mknodat}) filter.Rule(kRefuse, nr, {has_bit(2)});
      // ABI: __O_TMPFILE; else the mode means nothing.
      for (const uint64_t makes : {O_CREAT, O_TMPFILE & ~O_DIRECTORY}) {
        filter.Rule(kRefuse, Nr::open, {SCMP_A1_64(SCMP_CMP_MASKED_EQ, makes, makes), has_bit(2)});
        filter.Rule(kRefuse, Nr::openat, {SCMP_A2_64(SCMP_CMP_MASKED_EQ, makes, makes), has_bit(3)});
      }
    }
    if (!gaps.lengths) filter.Rule(kNotHere, Nr::openat2);
  }
  constexpr uint32_t kNoFamily = SCMP_ACT_ERRNO(EAFNOSUPPORT);
  constexpr int kMostFamilies = 64;
  for (int family = 0; family < kMostFamilies; ++family) {
    const bool is_internet = family == AF_INET || family == AF_INET6;
    const bool is_local = family == AF_UNIX || family == AF_NETLINK;
    if ((is_internet && !gaps.network) || (is_local && !gaps.namespaces)) continue;
    const auto asked = static_cast<scmp_datum_t>(family);
    filter.Rule(kNoFamily, Nr::socket, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, asked)});
    // A pair of sockets needs no address, and is of a family's code all the same.
    if (!is_internet && !is_local) {
      filter.Rule(kNoFamily, Nr::socketpair, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, asked)});
    }
  }
  if (gaps.namespaces) {
    for (const Nr nr : kByName) filter.Rule(SCMP_ACT_ERRNO(EACCES), nr);
    // What is hidden is there, and a watch on a directory tells the names in it. Landlock is not asked.
    filter.Rule(SCMP_ACT_ERRNO(EACCES), Nr::inotify_add_watch);
    for (const Nr nr :
         {Nr::prlimit64, Nr::sched_setaffinity, Nr::sched_setscheduler, Nr::sched_setparam, Nr::sched_setattr}) {
      filter.Rule(kRefuse, nr, {SCMP_A0_64(SCMP_CMP_NE, 0, 0)});
    }
    for (const Nr nr : {Nr::setpriority, Nr::ioprio_set}) filter.Rule(kRefuse, nr, {SCMP_A1_64(SCMP_CMP_NE, 0, 0)});
    // PRIO_USER and IOPRIO_WHO_USER: 0 is the user's own.
    filter.Rule(kRefuse, Nr::setpriority, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, PRIO_USER)});
    filter.Rule(kRefuse, Nr::ioprio_set, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, 3)});
    return WithoutNewerCalls(filter.Program());
  }
  // Protocols of netlink but NETLINK_ROUTE, which is 0 and the session's own: some tell of the host. ABI: there are 32.
  for (uint64_t bit = 1; bit < 32; bit <<= 1) {
    filter.Rule(SCMP_ACT_ERRNO(EPROTONOSUPPORT), Nr::socket,
                {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kLow, AF_NETLINK), SCMP_A2_64(SCMP_CMP_MASKED_EQ, bit, bit)});
  }
  return WithoutNewerCalls(filter.Program());
}

}  // namespace guise::server
