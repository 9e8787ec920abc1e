#include "personalities/api/files.h"

namespace guise::api {

namespace {

FileStatus StatusFrom(const Call& call, Room<struct statx> room) {
  const struct statx status = call.Read(room);
  return {InodeOf(status), {status.stx_uid, status.stx_gid}, status.stx_mode, status.stx_attributes};
}

}  // namespace

Inode InodeOf(const struct statx& status) {
  Inode inode;
  inode.device_major = status.stx_dev_major;
  inode.device_minor = status.stx_dev_minor;
  inode.number = status.stx_ino;
  if ((status.stx_mask & STATX_BTIME) != 0) {
    inode.birth_seconds = status.stx_btime.tv_sec;
    inode.birth_nanoseconds = status.stx_btime.tv_nsec;
  }
  return inode;
}

Task<SysResultOr<FileStatus>> StatusOf(Call& call, Argument directory, Argument path, int flags) {
  const Room<struct statx> room = call.MakeRoom<struct statx>();
  constexpr uint32_t kMask = STATX_BASIC_STATS | STATX_BTIME;
  const SysResult result = co_await call.Run(Nr::statx, directory, path, flags, kMask, room);
  if (!result.ok()) co_return result;
  co_return StatusFrom(call, room);
}

}  // namespace guise::api
