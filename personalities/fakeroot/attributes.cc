// Extended attributes that only root's power sets (CAP_SYS_ADMIN, CAP_SETFCAP): those of `trusted.` and `security.`,
// file capabilities among them. What the kernel refuses the session keeps, for each file; from then on all who ask for
// an attribute or list them are told. ABI: fs/xattr.c, xattr_permission(); security/commoncap.c,
// cap_inode_setxattr() and cap_convert_nscap(); xattr(7).
//
// A program without the capability neither sets them nor sees those of `trusted.`.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/xattr.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "personalities/api/files.h"
#include "personalities/api/memory.h"
#include "personalities/fakeroot/fakeroot.h"
#include "personalities/fakeroot/power.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::FileStatus;
using api::KeptAttributes;
using api::Nr;
using api::Path;
using api::Room;
using api::SysResult;
using api::SysResultOr;
using api::SysTask;
using api::Task;

namespace {

// The most that a value, and all names of a file, may be: what the store keeps of one file at most.
constexpr size_t kMost = 4096;
struct Buffer {
  char bytes[kMost];
};

bool IsTrusted(std::string_view name) { return name.starts_with("trusted."); }
bool IsRoots(std::string_view name) { return IsTrusted(name) || name.starts_with("security."); }

std::string_view NameIn(const Call& call) { return call.Arg<Path>(1).text; }

// The file that the call is about: by a path, through links or not, or by a descriptor.
struct File {
  Argument directory = AT_FDCWD;
  Argument path;
  int flags = 0;
};

File FileOf(Call& call) {
  switch (call.nr()) {
    case Nr::fsetxattr:
    case Nr::fgetxattr:
    case Nr::flistxattr:
    case Nr::fremovexattr:
      return {call.Pass(0), call.Put(""), AT_EMPTY_PATH};
    case Nr::lsetxattr:
    case Nr::lgetxattr:
    case Nr::llistxattr:
    case Nr::lremovexattr:
      return {AT_FDCWD, call.Forward(0), AT_SYMLINK_NOFOLLOW};
    default:
      return {AT_FDCWD, call.Forward(0), 0};
  }
}

// The call that asks natively for the attribute that this one is about.
Nr GetterOf(Nr nr) {
  switch (nr) {
    case Nr::fsetxattr:
    case Nr::fremovexattr:
      return Nr::fgetxattr;
    case Nr::lsetxattr:
    case Nr::lremovexattr:
      return Nr::lgetxattr;
    default:
      return Nr::getxattr;
  }
}

// The call, with power over modes. EPERM is for the caller to look at: `file` is then what the call
// was refused on, where it can be told.
Task<SysResult> MakeWithPower(Call& call, Below below, FileStatus* file) {
  const SysResult result = co_await below(call);
  const File named = FileOf(call);
  if (result.Is(EPERM)) {
    const SysResultOr<FileStatus> status = co_await StatusOf(call, named.directory, named.path, named.flags);
    if (status.ok()) *file = status.value();
  }
  if (!result.Is(EACCES) || !call.Credentials().May(CAP_DAC_OVERRIDE)) co_return result;
  const Again again = {.call = &call, .status = file, .status_flags = named.flags, .is_status_of_refused = true};
  const SysResult made = co_await WithModesLent(call, below, again);
  co_return made;
}

// Whether it is there: kept by the session or by the file system.
Task<bool> IsThere(Call& call, Below below, api::Inode inode) {
  if (call.AttributesOf(inode).Find(NameIn(call)).has_value()) co_return true;
  const Call get = call.As(GetterOf(call.nr()), call.Pass(0), call.Forward(1), 0, 0);
  const SysResult native = co_await below(get);
  co_return native.ok();
}

// ABI: security/commoncap.c, validheader().
bool IsFileCapability(std::string_view value) {
  uint32_t magic = 0;
  if (value.size() < sizeof(magic)) return false;
  std::memcpy(&magic, value.data(), sizeof(magic));
  const uint32_t revision = magic & VFS_CAP_REVISION_MASK;
  return (revision == VFS_CAP_REVISION_2 && value.size() == XATTR_CAPS_SZ_2) ||
         (revision == VFS_CAP_REVISION_3 && value.size() == XATTR_CAPS_SZ_3);
}

// `size` bytes in `room`.
SysResult Keep(Call& call, const api::Inode& inode, Room<Buffer> room, size_t size) {
  const Buffer buffer = call.Read(room);
  const std::string_view value(buffer.bytes, size);
  if (size != 0 && NameIn(call) == XATTR_NAME_CAPS && !IsFileCapability(value)) return SysResult::Error(EINVAL);
  call.Commit(api::SetAttribute{inode, NameIn(call), value});
  return SysResult::Ok();
}

// The call's value, which lies where no argument's copy is.
Task<SysResult> ReadAndKeep(Call& call, api::Inode inode) {
  const auto size = call.Arg<uint64_t>(3);
  if (size > kMost) co_return SysResult::Error(ENOSPC);
  const Room<Buffer> room = call.MakeRoom<Buffer>();
  if (size != 0) {
    const SysResult memory = co_await OpenMemory(call);
    if (!memory.ok()) co_return memory;
    const Argument to = room;
    const auto from = call.Arg<uint64_t>(2);
    const SysResult read = co_await ReadMemory(call, memory, from, to, size);
    [[maybe_unused]] const SysResult closed = co_await CloseMemory(call, memory);
    if (!read.ok()) co_return read;
    if (read.value() != size) co_return SysResult::Error(EFAULT);
  }
  co_return Keep(call, inode, room, size);
}

// ABI: fs/xattr.c, xattr_resolve_name(), which comes after the permissions.
bool IsWholeName(std::string_view name) { return name.find('.') != name.size() - 1; }

// What the call comes to; nullopt: the session may do on the file what the kernel has refused. What the kernel says of
// names to everybody before holds for kept ones, too: it was asked first.
std::optional<SysResult> ResultWithoutKeeping(Call& call, SysResult result, const FileStatus& file) {
  if (!result.Is(EPERM) || file.mode == 0 || file.IsProtected() || !IsRoots(NameIn(call))) return result;
  if (!call.Credentials().May(NameIn(call) == XATTR_NAME_CAPS ? CAP_SETFCAP : CAP_SYS_ADMIN)) return result;
  if (!IsWholeName(NameIn(call))) return SysResult::Error(EINVAL);
  return std::nullopt;
}

// Names that the session keeps of the file, as this caller may see them, behind those that the kernel told.
SysResult CopyOutNames(Call& call, size_t at, std::string_view native, const KeptAttributes& kept) {
  std::array<char, 2 * kMost> all;
  std::memcpy(all.data(), native.data(), native.size());
  size_t used = native.size();
  for (std::string_view left = kept.names; !left.empty();) {
    const std::string_view name = left.substr(0, left.find('\0') + 1);
    left.remove_prefix(name.size());
    if (IsTrusted(name) && !call.Credentials().May(CAP_SYS_ADMIN)) continue;
    // A whole name of the list, for it begins behind a NUL.
    const size_t found = native.find(name);
    if (found != std::string_view::npos && (found == 0 || native[found - 1] == '\0')) continue;
    std::memcpy(all.data() + used, name.data(), name.size());
    used += name.size();
  }
  const auto room = call.Arg<uint64_t>(at + 1);
  if (room != 0 && used > room) return SysResult::Error(ERANGE);
  if (room != 0) call.CopyOut(at, {all.data(), used});
  return SysResult::Ok(used);
}

SysResult CopyOutList(Call& call, size_t at, Room<Buffer> room, size_t size, const KeptAttributes& kept) {
  const Buffer native = call.Read(room);
  return CopyOutNames(call, at, {native.bytes, size}, kept);
}

}  // namespace

SysTask Fakeroot::SetXattr(Call& call, Below below) const {
  FileStatus file;
  const SysResult result = co_await MakeWithPower(call, below, &file);
  if (const auto settled = ResultWithoutKeeping(call, result, file)) co_return *settled;
  const api::Inode inode = file.inode;
  const int flags = call.Arg<int>(4);
  if (flags != 0) {
    const bool is_there = co_await IsThere(call, below, inode);
    if (is_there && (flags & XATTR_CREATE) != 0) co_return SysResult::Error(EEXIST);
    if (!is_there && (flags & XATTR_REPLACE) != 0) co_return SysResult::Error(ENODATA);
  }
  const SysResult kept = co_await ReadAndKeep(call, inode);
  co_return kept;
}

SysTask Fakeroot::RemoveXattr(Call& call, Below below) const {
  FileStatus file;
  const SysResult result = co_await MakeWithPower(call, below, &file);
  if (const auto settled = ResultWithoutKeeping(call, result, file)) co_return *settled;
  const api::Inode inode = file.inode;
  if (call.AttributesOf(inode).Find(NameIn(call)).has_value()) {
    call.Commit(api::SetAttribute{inode, NameIn(call), std::nullopt});
    co_return SysResult::Ok();
  }
  // One that the file has natively is not the user's to remove.
  const bool is_there = co_await IsThere(call, below, inode);
  co_return is_there ? result : SysResult::Error(ENODATA);
}

SysTask Fakeroot::GetXattr(Call& call, Below below) const {
  const std::string_view name = NameIn(call);
  if (!IsRoots(name) || (IsTrusted(name) && !call.Credentials().May(CAP_SYS_ADMIN))) co_return below.Tail(call);
  const File file = FileOf(call);
  const SysResultOr<FileStatus> status = co_await StatusOf(call, file.directory, file.path, file.flags);
  if (!status.ok()) co_return below.Tail(call);
  const std::optional<std::string_view> value = call.AttributesOf(status->inode).Find(name);
  if (!value.has_value()) co_return below.Tail(call);
  const auto room = call.Arg<uint64_t>(3);
  if (room != 0 && value->size() > room) co_return SysResult::Error(ERANGE);
  if (room != 0) call.CopyOut(2, *value);
  co_return SysResult::Ok(value->size());
}

SysTask Fakeroot::ListXattr(Call& call, Below below) const {
  const File file = FileOf(call);
  const SysResultOr<FileStatus> status = co_await StatusOf(call, file.directory, file.path, file.flags);
  if (!status.ok()) co_return below.Tail(call);
  const KeptAttributes kept = call.AttributesOf(status->inode);
  if (kept.empty()) co_return below.Tail(call);
  const Room<Buffer> room = call.MakeRoom<Buffer>();
  const Call list = call.As(call.nr(), call.Pass(0), room, kMost);
  const SysResult native = co_await below(list);
  if (native.Is(ERANGE)) co_return SysResult::Error(E2BIG);
  // A file system without attributes may still have a file with kept ones.
  if (!native.ok() && !native.Is(EOPNOTSUPP)) co_return native;
  // By the word of the guest, which has made the call.
  const size_t size = native.ok() ? std::min<size_t>(native.value(), kMost) : 0;
  co_return CopyOutList(call, 1, room, size, kept);
}

}  // namespace guise::personalities
