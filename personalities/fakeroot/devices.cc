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

// The mode is argument `at`, the device the next one.
Task<SysResult> Make(Call& call, Below below, size_t at, uint32_t mode) {
  const Call made = call.With(at, mode).With(at + 1, 0);
  const SysResult result = co_await below(made);
  if (!result.Is(EACCES) || !call.Credentials().MayOverride()) co_return result;
  const SysResult again = co_await WithModesLent(call, below, made);
  co_return again;
}

Task<SysResult> MakeInPlace(Call& call, Below below, size_t at) {
  const uint32_t mode = call.Arg<uint32_t>(at);
  const uint32_t whiteout = (mode & 07777) | S_IFCHR;
  const SysResult made = co_await Make(call, below, at, whiteout);
  if (!made.Is(EPERM)) co_return made;
  const uint32_t file = (mode & 07777) | S_IFREG;
  const SysResult again = co_await Make(call, below, at, file);
  co_return again;
}

// `directory` and `path`: of the call.
Task<SysResult> MakeNode(Call& call, Below below, Argument directory, size_t path) {
  const size_t at = path + 1;
  const uint32_t mode = call.Arg<uint32_t>(at);
  SysResult result = co_await below(call);
  if (!call.Credentials().MayOverride()) co_return result;
  if (!IsDevice(mode)) {
    if (!result.Is(EACCES)) co_return result;
    const SysResult again = co_await WithModesLent(call, below, call);
    co_return again;
  }
  if (!result.Is(EPERM) && !result.Is(EACCES)) co_return result;
  const SysResult made = co_await MakeInPlace(call, below, at);
  if (!made.ok()) co_return made;
  const Argument name = call.Forward(path);
  const SysResultOr<FileStatus> file = co_await StatusOf(call, directory, name, AT_SYMLINK_NOFOLLOW);
  if (!file.ok()) co_return file.failure();
  // ABI: the kernel takes 32 bits, include/linux/kdev_t.h, new_decode_dev().
  const dev_t device = call.Arg<uint32_t>(at + 1);
  call.Commit(api::SetDevice{file.value().inode, Device{mode & S_IFMT, major(device), minor(device)}});
  co_return SysResult::Ok();
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
