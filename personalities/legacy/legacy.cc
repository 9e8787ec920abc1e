#include "personalities/legacy/legacy.h"

#include <fcntl.h>

#include <cerrno>

#include "personalities/legacy/profile.h"

namespace guise::personalities {

using api::From;
using api::Nr;
using api::Put;

namespace {

absl::StatusOr<std::unique_ptr<api::Personality>> Make(std::string_view argument) {
  absl::StatusOr<v1::LegacyProfile> profile = FindProfile(argument);
  if (!profile.ok()) return profile.status();
  return std::unique_ptr<api::Personality>(std::make_unique<Legacy>(*std::move(profile)));
}

template <Nr kNr>
void DenyIfNeverWired(api::Claims& claims) {
  constexpr bool kNever = syscall::Find(static_cast<uint32_t>(kNr))->Has(syscall::Trait::NeverWired);
  if constexpr (kNever) claims.Deny<kNr>(ENOSYS);
}

}  // namespace

api::Registration Legacy::Register() { return {"legacy", &Make}; }

void Legacy::Claim(api::Claims& claims) const {
  if (!profile_.release().empty()) {
    claims.ShowKernelAs({profile_.release(), profile_.version()});
    claims.Overlay<Nr::uname>();
  }
  if (profile_.vsyscall_page() != 0) claims.EmulateVsyscallAt(profile_.vsyscall_page());
  ClaimFolds(claims);
  ClaimServed(claims);
  ClaimRemoved(claims);
}

// Calls that are another one with other arguments. fork and vfork, too, but those are the shim's own.
void Legacy::ClaimFolds(api::Claims& claims) const {
  constexpr api::FoldArgument kHere = Put(AT_FDCWD);
  constexpr int kSetSize = 8;  // of a signal set
  claims.Fold<Nr::open, Nr::openat, kHere, From(0), From(1), From(2)>();
  claims.Fold<Nr::creat, Nr::openat, kHere, From(0), Put(O_CREAT | O_WRONLY | O_TRUNC), From(1)>();
  claims.Fold<Nr::stat, Nr::newfstatat, kHere, From(0), From(1), Put(0)>();
  claims.Fold<Nr::lstat, Nr::newfstatat, kHere, From(0), From(1), Put(AT_SYMLINK_NOFOLLOW)>();
  claims.Fold<Nr::access, Nr::faccessat, kHere, From(0), From(1)>();
  claims.Fold<Nr::readlink, Nr::readlinkat, kHere, From(0), From(1), From(2)>();
  claims.Fold<Nr::mkdir, Nr::mkdirat, kHere, From(0), From(1)>();
  claims.Fold<Nr::rmdir, Nr::unlinkat, kHere, From(0), Put(AT_REMOVEDIR)>();
  claims.Fold<Nr::unlink, Nr::unlinkat, kHere, From(0), Put(0)>();
  claims.Fold<Nr::rename, Nr::renameat2, kHere, From(0), kHere, From(1), Put(0)>();
  claims.Fold<Nr::link, Nr::linkat, kHere, From(0), kHere, From(1), Put(0)>();
  claims.Fold<Nr::symlink, Nr::symlinkat, From(0), kHere, From(1)>();
  claims.Fold<Nr::mknod, Nr::mknodat, kHere, From(0), From(1), From(2)>();
  claims.Fold<Nr::chmod, Nr::fchmodat, kHere, From(0), From(1)>();
  claims.Fold<Nr::chown, Nr::fchownat, kHere, From(0), From(1), From(2), Put(0)>();
  claims.Fold<Nr::lchown, Nr::fchownat, kHere, From(0), From(1), From(2), Put(AT_SYMLINK_NOFOLLOW)>();
  claims.Fold<Nr::pipe, Nr::pipe2, From(0), Put(0)>();
  claims.Fold<Nr::dup2, Nr::dup3, From(0), From(1), Put(0)>().UnlessSame<&Legacy::Dup2Same>(0, 1, *this);
  claims.Fold<Nr::epoll_wait, Nr::epoll_pwait, From(0), From(1), From(2), From(3), Put(0), Put(kSetSize)>();
  claims.Fold<Nr::inotify_init, Nr::inotify_init1, Put(0)>();
  claims.Fold<Nr::signalfd, Nr::signalfd4, From(0), From(1), From(2), Put(0)>();
  claims.Fold<Nr::eventfd, Nr::eventfd2, From(0), Put(0)>();
  claims.Fold<Nr::getpgrp, Nr::getpgid, Put(0)>();
  claims.Fold<Nr::pause, Nr::ppoll, Put(0), Put(0), Put(0), Put(0), Put(kSetSize)>();
}

void Legacy::ClaimServed(api::Claims& claims) const {
  claims.Serve<Nr::epoll_create, &Legacy::EpollCreate>(*this);
  claims.Serve<Nr::getdents, &Legacy::Getdents>(*this);
  claims.Serve<Nr::poll, &Legacy::Poll>(*this);
  claims.Serve<Nr::select, &Legacy::Select>(*this);
  claims.Serve<Nr::alarm, &Legacy::Alarm>(*this);
  claims.Serve<Nr::time, &Legacy::Time>(*this);
  claims.Serve<Nr::utime, &Legacy::Utime>(*this);
  claims.Serve<Nr::utimes, &Legacy::Utimes>(*this);
  claims.Serve<Nr::futimesat, &Legacy::Futimesat>(*this);
  claims.Serve<Nr::sysfs, &Legacy::Sysfs>(*this);
  claims.Serve<Nr::ustat, &Legacy::Ustat>(*this);
}

void Legacy::ClaimRemoved(api::Claims& claims) const {
#define GUISE_SYSCALL(nr, name, ...) DenyIfNeverWired<Nr::name>(claims);
#include "proto/syscall/x86_64.def"
  if (!profile_.removed_calls()) return;
  claims.Serve<Nr::_sysctl, &Legacy::Sysctl>(*this);
  claims.Serve<Nr::uselib, &Legacy::Uselib>(*this);
  claims.Serve<Nr::lookup_dcookie, &Legacy::LookupDcookie>(*this);
  claims.Deny<Nr::nfsservctl>(ENOSYS);  // as a kernel without the NFS server
}

}  // namespace guise::personalities
