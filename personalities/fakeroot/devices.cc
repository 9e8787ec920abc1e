// mknod(2) of device nodes, which only root's power makes (CAP_MKNOD). Where the kernel refuses one, a node that harms
// nobody is made in its place, and the session keeps what it is to be: stat(2) shows that. ABI: fs/namei.c,
// vfs_mknod().
//
// The node is a whiteout, the character device 0:0: everybody may make it, directories list it as a device, and who
// opens it is told ENXIO. overlayfs has a use of its own for those; there, and where a filter refuses them, the node is
// an empty file.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdint>

#include "personalities/api/files.h"
#include "personalities/fakeroot/fakeroot.h"
#include "personalities/fakeroot/power.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::Device;
using api::FileStatus;
using api::SysResult;
using api::SysResultOr;
using api::SysTask;
using api::Task;

namespace {

bool IsDevice(uint32_t mode) { return S_ISCHR(mode) || S_ISBLK(mode); }

// What is made in a device's place; argument `at` is the mode, the next one the device.
Call InPlace(const Call& call, size_t at, uint32_t type) {
  return call.With(at, (call.Arg<uint32_t>(at) & 07777) | type).With(at + 1, 0);
}

// Where nothing needs to be lent.
Task<SysResult> MakeInPlace(Call& call, Below below, const Again& again, Argument directory, size_t path) {
  const SysResult result = co_await MakeAgain(call, below, again);
  if (!result.ok()) co_return result;
  const Argument name = call.Forward(path);
  const SysResultOr<FileStatus> made = co_await StatusOf(call, directory, name, AT_SYMLINK_NOFOLLOW);
  if (!made.ok()) co_return made.failure();
  *again.status = made.value();
  co_return result;
}

// `directory` and `path`: of the call, whose result is `native`.
Task<SysResult> MakeDevice(Call& call, Below below, Argument directory, size_t path, SysResult native) {
  const size_t at = path + 1;
  const Call whiteout = InPlace(call, at, S_IFCHR);
  const Call file = InPlace(call, at, S_IFREG);
  FileStatus made;
  const Again again = {&whiteout, &file, &made};
  SysResult result = native;
  if (native.Is(EPERM)) {
    const SysResult placed = co_await MakeInPlace(call, below, again, directory, path);
    result = placed;
  } else {
    const SysResult placed = co_await WithModesLent(call, below, again);
    result = placed;
  }
  if (!result.ok()) co_return result;
  // ABI: the kernel takes 32 bits, include/linux/kdev_t.h, new_decode_dev().
  const dev_t device = call.Arg<uint32_t>(at + 1);
  const uint32_t type = call.Arg<uint32_t>(at) & S_IFMT;
  call.Commit(api::SetDevice{made.inode, Device{type, major(device), minor(device)}});
  co_return result;
}

Task<SysResult> MakeNode(Call& call, Below below, Argument directory, size_t path) {
  const SysResult native = co_await below(call);
  const bool is_device = IsDevice(call.Arg<uint32_t>(path + 1));
  // The kernel looks at the way first.
  const bool refused = native.Is(EACCES) ? call.Credentials().May(CAP_DAC_OVERRIDE) : native.Is(EPERM) && is_device;
  if (!refused) co_return native;
  if (is_device && !call.Credentials().May(CAP_MKNOD)) co_return SysResult::Error(EPERM);
  if (is_device) {
    const SysResult made = co_await MakeDevice(call, below, directory, path, native);
    co_return made;
  }
  const Again again = {&call};
  const SysResult made = co_await WithModesLent(call, below, again);
  co_return made;
}

}  // namespace

SysTask Fakeroot::Mknod(Call& call, Below below) const {
  const Argument here = AT_FDCWD;
  const SysResult result = co_await MakeNode(call, below, here, 0);
  co_return result;
}

SysTask Fakeroot::Mknodat(Call& call, Below below) const {
  const Argument directory = call.Pass(0);
  const SysResult result = co_await MakeNode(call, below, directory, 1);
  co_return result;
}

}  // namespace guise::personalities
