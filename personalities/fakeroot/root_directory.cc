// chroot(2) to the root directory that the process has: it changes nothing, and is how `chroot --userspec=USER:GROUP /`
// runs a program as somebody else. To another directory it is the host's to allow. ABI: fs/open.c, chroot().
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include <cerrno>

#include "personalities/fakeroot/fakeroot.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::Nr;
using api::Room;
using api::SysResult;
using api::SysTask;

namespace {

// One place of one mount.
bool IsSame(const struct statx& a, const struct statx& b) {
  return a.stx_ino == b.stx_ino && a.stx_dev_major == b.stx_dev_major && a.stx_dev_minor == b.stx_dev_minor &&
         a.stx_mnt_id == b.stx_mnt_id;
}

bool AreSame(const Call& call, Room<struct statx> a, Room<struct statx> b) {
  return IsSame(call.Read(a), call.Read(b));
}

}  // namespace

SysTask Fakeroot::Chroot(Call& call, Below below) const {
  const SysResult result = co_await below(call);
  if (!result.Is(EPERM) || !call.Credentials().May(CAP_SYS_CHROOT)) co_return result;
  constexpr uint32_t kMask = STATX_INO | STATX_MNT_ID;
  const Argument path = call.Forward(0);
  const Room<struct statx> wanted = call.MakeRoom<struct statx>();
  const SysResult there = co_await call.Run(Nr::statx, AT_FDCWD, path, 0, kMask, wanted);
  if (!there.ok()) co_return result;
  const Argument root = call.Put("/");
  const Room<struct statx> present = call.MakeRoom<struct statx>();
  const SysResult here = co_await call.Run(Nr::statx, AT_FDCWD, root, 0, kMask, present);
  if (!here.ok() || !AreSame(call, wanted, present)) co_return result;
  co_return SysResult::Ok();
}

}  // namespace guise::personalities
