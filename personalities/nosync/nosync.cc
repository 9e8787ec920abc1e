#include "personalities/nosync/nosync.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

namespace guise::personalities {

using api::Below;
using api::Call;
using api::From;
using api::Nr;
using api::Put;
using api::SysResult;
using api::SysTask;
using api::Verdict;

api::Registration Nosync::Register() { return {"nosync", &api::MakeWithoutArgument<Nosync>}; }

void Nosync::Claim(api::Claims& claims) const {
  // Answered in the program itself: sync(2) cannot fail.
  claims.Constant<Nr::sync>(0);
  // Advice that says nothing new, but EBADF as fsync(2) does.
  claims.Fold<Nr::fsync, Nr::fadvise64, From(0), Put(0), Put(0), Put(POSIX_FADV_NORMAL)>();
  claims.Fold<Nr::fdatasync, Nr::fadvise64, From(0), Put(0), Put(0), Put(POSIX_FADV_NORMAL)>();
  claims.Fold<Nr::syncfs, Nr::fadvise64, From(0), Put(0), Put(0), Put(POSIX_FADV_NORMAL)>();
  claims.Guard<Nr::msync, &Nosync::Msync>(*this);
  claims.Serve<Nr::sync_file_range, &Nosync::SyncFileRange>(*this);
}

// The same call, but that it does not wait.
Verdict Nosync::Msync(Call& call) const {
  const int flags = call.Arg<int>(2);
  if ((flags & MS_SYNC) == 0 || (flags & MS_ASYNC) != 0) return Verdict::Pass(call);
  return Verdict::Pass(call.With(2, (flags & ~MS_SYNC) | MS_ASYNC));
}

// Checks what Linux checks of the descriptor, by a native call on the program's own thread.
SysTask Nosync::SyncFileRange(Call& call, Below) const {
  constexpr unsigned kKnown = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  if ((call.Arg<unsigned>(3) & ~kKnown) != 0) co_return SysResult::Error(EINVAL);
  const SysResult flags = co_await call.Run(Nr::fcntl, call.Pass(0), F_GETFD, 0);
  if (!flags.ok()) co_return flags;
  co_return SysResult::Ok();
}

}  // namespace guise::personalities
