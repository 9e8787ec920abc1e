#include "server/stack/overlay.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "personalities/api/files.h"
#include "proto/wire/overlay.h"

namespace guise::server {

using api::Argument;
using api::Call;
using api::Nr;
using api::SysResult;

namespace {

// The five calls as the one that tells most.
struct StatxRequest {
  Argument directory = AT_FDCWD;
  Argument path;
  int flags = AT_NO_AUTOMOUNT;  // ABI: fs/stat.c, vfs_fstatat()
  uint32_t mask = STATX_BASIC_STATS;
  size_t out = 1;  // the argument that says where the result goes
  int error = 0;
};

StatxRequest RequestOf(Call& call) {
  StatxRequest request;
  switch (call.nr()) {
    case Nr::stat:
      request.path = call.Forward(0);
      break;
    case Nr::lstat:
      request.path = call.Forward(0);
      request.flags |= AT_SYMLINK_NOFOLLOW;
      break;
    case Nr::fstat:
      request.directory = call.Pass(0);
      request.path = call.Put("");
      request.flags |= AT_EMPTY_PATH;
      // For statx a negative number may be AT_FDCWD.
      if (call.Arg<int>(0) < 0) request.error = EBADF;
      break;
    case Nr::newfstatat:
      request.directory = call.Pass(0);
      request.path = call.Forward(1);
      request.flags |= call.Arg<int>(3);
      request.out = 2;
      break;
    default:  // statx
      request.directory = call.Pass(0);
      request.path = call.Forward(1);
      request.flags = call.Arg<int>(2);
      request.mask = call.Arg<uint32_t>(3);
      request.out = 4;
      break;
  }
  return request;
}

struct stat StatOf(const struct statx& from) {
  struct stat to = {};
  wire::CopyToStat(from, &to);
  to.st_atim = {from.stx_atime.tv_sec, from.stx_atime.tv_nsec};
  to.st_mtim = {from.stx_mtime.tv_sec, from.stx_mtime.tv_nsec};
  to.st_ctim = {from.stx_ctime.tv_sec, from.stx_ctime.tv_nsec};
  return to;
}
static_assert(sizeof(struct stat) == 144);
static_assert(sizeof(struct statx) == 256);

void LayOver(Call& call, const StatxRequest& request, api::Room<struct statx> room) {
  struct statx status = call.Read(room);
  const api::Inode inode = api::InodeOf(status);
  const api::Owner shown = call.ShownOwner(inode, {status.stx_uid, status.stx_gid});
  status.stx_uid = shown.uid;
  status.stx_gid = shown.gid;
  // Its own directory lends search permission to the call that looks at it by a name in it (`closed/.`,
  // `closed/in/..`).
  constexpr uint32_t kBits = 07777;
  status.stx_mode =
      static_cast<uint16_t>((status.stx_mode & ~kBits) | call.loans().Shown(inode, status.stx_mode & kBits));
  if (const std::optional<api::Device> device = call.ShownDevice(inode)) {
    status.stx_mode = static_cast<uint16_t>((status.stx_mode & ~S_IFMT) | device->type);
    status.stx_rdev_major = device->major;
    status.stx_rdev_minor = device->minor;
  }
  if (call.nr() != Nr::statx) {
    call.CopyOut(request.out, StatOf(status));
    return;
  }
  if ((request.mask & STATX_BTIME) == 0) {
    status.stx_mask &= ~STATX_BTIME;
    status.stx_btime = {};
  }
  call.CopyOut(request.out, status);
}

api::SysTask ServeStatus(Call& call) {
  const StatxRequest request = RequestOf(call);
  if (request.error != 0) co_return SysResult::Error(request.error);
  const api::Room<struct statx> room = call.MakeRoom<struct statx>();
  const uint32_t mask = request.mask | STATX_TYPE | STATX_INO | STATX_UID | STATX_GID | STATX_BTIME;
  const SysResult result = co_await call.Run(Nr::statx, request.directory, request.path, request.flags, mask, room);
  if (!result.ok()) co_return result;
  LayOver(call, request, room);
  co_return result;
}

// `text` is shorter than the field: Epoch::Compile.
template <size_t kSize>
void SetText(char (&field)[kSize], const std::string& text) {
  std::memset(field, 0, kSize);
  std::memcpy(field, text.data(), std::min(text.size(), kSize - 1));
}

// REQUIRES: `epoch` outlives the call.
api::SysTask ServeUname(const Epoch& epoch, Call& call) {
  const api::Room<utsname> room = call.MakeRoom<utsname>();
  const SysResult result = co_await call.Run(Nr::uname, room);
  if (!result.ok()) co_return result;
  utsname name = call.Read(room);
  const Tables& tables = epoch.tables();
  if ((tables.flags & wire::kShowKernel) != 0) {
    SetText(name.release, tables.kernel_release);
    SetText(name.version, tables.kernel_version);
  }
  call.CopyOut(0, name);
  co_return result;
}

}  // namespace

api::SysTask ServeOverlay(const Epoch& epoch, Call& call) {
  if (call.nr() == Nr::uname) return ServeUname(epoch, call);
  return ServeStatus(call);
}

}  // namespace guise::server
