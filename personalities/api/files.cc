#include "personalities/api/files.h"

#include <cstring>
#include <optional>
#include <string_view>

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

std::optional<std::string_view> KeptAttributes::Find(std::string_view name) const {
  std::string_view names_left = names;
  std::string_view values_left = values;
  while (!names_left.empty()) {
    uint32_t size = 0;
    std::memcpy(&size, values_left.data(), sizeof(size));
    const std::string_view at = names_left.substr(0, names_left.find('\0'));
    if (at == name) return values_left.substr(sizeof(size), size);
    names_left.remove_prefix(at.size() + 1);
    values_left.remove_prefix(sizeof(size) + size);
  }
  return std::nullopt;
}

Task<SysResultOr<FileStatus>> StatusOf(Call& call, Argument directory, Argument path, int flags) {
  const Room<struct statx> room = call.MakeRoom<struct statx>();
  constexpr uint32_t kMask = STATX_BASIC_STATS | STATX_BTIME;
  const SysResult result = co_await call.Run(Nr::statx, directory, path, flags, kMask, room);
  if (!result.ok()) co_return result;
  co_return StatusFrom(call, room);
}

}  // namespace guise::api
