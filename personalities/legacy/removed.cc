// Calls that kernels no longer have. ABI: Linux 2.6.32, where they last were whole.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "personalities/api/files.h"
#include "personalities/legacy/legacy.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::FileStatus;
using api::Nr;
using api::SysResult;
using api::SysResultOr;
using api::SysTask;

// ABI: fs/exec.c, sys_uselib(): after the file has been looked at, no format knows how to load it: a kernel without
// CONFIG_BINFMT_AOUT, and ELF libraries are ld.so's.
SysTask Legacy::Uselib(Call& call, Below) const {
  const Argument path = call.Forward(0);
  const SysResult allowed = co_await call.Run(Nr::faccessat, AT_FDCWD, path, R_OK | X_OK);
  if (!allowed.ok()) co_return allowed;
  const Argument here = AT_FDCWD;
  const SysResultOr<FileStatus> file = co_await api::StatusOf(call, here, path, 0);
  if (!file.ok()) co_return file.failure();
  co_return SysResult::Error(S_ISREG(file->mode) ? ENOEXEC : EINVAL);
}

// ABI: fs/dcookies.c: for root, and then for a profiler that is registered, which no longer can be.
SysTask Legacy::LookupDcookie(Call& call, Below below) const {
  const Call asks = call.As(Nr::geteuid);
  const SysResult user = co_await below(asks);
  if (!user.ok()) co_return user;
  co_return SysResult::Error(user.value() == 0 ? EINVAL : EPERM);
}

}  // namespace guise::personalities
