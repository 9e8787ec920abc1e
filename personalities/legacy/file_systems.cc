// sysfs(2) and ustat(2), by what /proc tells.
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "personalities/api/memory.h"
#include "personalities/legacy/host_file.h"
#include "personalities/legacy/legacy.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::Nr;
using api::Room;
using api::SysResult;
using api::SysTask;
using api::Task;

namespace {

using Page = std::array<char, 4096>;
using FileSystemName = std::array<char, 64>;

// What is in front of the first separator, or all; it and the separator are taken off `*rest`.
std::string_view Take(std::string_view* rest, char separator) {
  const std::string_view piece = rest->substr(0, rest->find(separator));
  rest->remove_prefix(std::min(rest->size(), piece.size() + 1));
  return piece;
}

// ABI: fs/filesystems.c: /proc/filesystems has them in the order of their numbers, "nodev\text4" each line. `visit`
// says whether to go on.
template <typename Visit>
void ForEachFileSystem(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::string_view line = Take(&text, '\n');
    if (!line.empty() && !visit(line.substr(line.find('\t') + 1))) return;
  }
}

// `page`: /proc/filesystems, of `size` bytes.
uint64_t CountOf(const Call& call, Room<Page> page, uint64_t size) {
  const HostText text = TextOf(call, page, size);
  uint64_t count = 0;
  ForEachFileSystem(text.view(), [&](std::string_view) { return ++count != 0; });
  return count;
}

SysResult IndexOf(const Call& call, Room<Page> page, uint64_t size, const FileSystemName& wanted, uint64_t length) {
  const HostText text = TextOf(call, page, size);
  const std::string_view name(wanted.data(), strnlen(wanted.data(), std::min<uint64_t>(length, wanted.size())));
  // ABI: fs/filesystems.c, fs_index() takes it as a path.
  if (name.empty()) return SysResult::Error(ENOENT);
  if (name.size() == length && length < wanted.size()) return SysResult::Error(EFAULT);
  SysResult result = SysResult::Error(EINVAL);
  uint64_t index = 0;
  ForEachFileSystem(text.view(), [&](std::string_view other) {
    if (other == name) result = SysResult::Ok(index);
    ++index;
    return !result.ok();
  });
  return result;
}

// The name of number `index`, and its length with the NUL, or 0: there is none.
Argument PutName(Call& call, Room<Page> page, uint64_t size, uint32_t index, uint64_t* length) {
  const HostText text = TextOf(call, page, size);
  std::string_view name;
  *length = 0;
  uint32_t at = 0;
  ForEachFileSystem(text.view(), [&](std::string_view other) {
    if (at++ != index) return true;
    name = other;
    *length = name.size() + 1;
    return false;
  });
  return *length == 0 ? Argument() : call.Put(name);
}

// --- ustat

// ABI: include/linux/types.h.
struct UstatReply {
  int32_t free_blocks;
  uint64_t free_inodes;
  char name[6];
  char pack[6];
};
static_assert(sizeof(UstatReply) == 32);

// ABI: include/linux/kdev_t.h, new_decode_dev(). Short enough for a string without the heap.
std::string DeviceOf(uint32_t dev) {
  return std::to_string((dev & 0xfff00) >> 8) + ":" + std::to_string((dev & 0xff) | ((dev >> 12) & 0xfff00));
}

// ABI: proc_pid_mountinfo(5): blanks, tabs, newlines and backslashes are \ooo. Written over `text`.
std::string_view Unescape(char* text, size_t length) {
  size_t size = 0;
  for (size_t i = 0; i < length; ++i) {
    const bool escaped = text[i] == '\\' && i + 3 < length;
    text[size++] =
        escaped ? static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0') : text[i];
    if (escaped) i += 3;
  }
  return {text, size};
}

std::string_view FieldOf(std::string_view line, int number) {
  while (number-- > 0) Take(&line, ' ');
  return Take(&line, ' ');
}

// Where the device is mounted, by the whole lines of the page; `*used`: their bytes. False: not by these.
bool PutMountPoint(Call& call, Room<Page> page, uint64_t size, uint64_t* used, Argument* path) {
  HostText text = TextOf(call, page, size);
  const std::string device = DeviceOf(call.Arg<uint32_t>(0));
  const std::string_view all = text.view();
  *used = all.rfind('\n') == std::string_view::npos ? 0 : all.rfind('\n') + 1;
  for (std::string_view rest = all.substr(0, *used); !rest.empty();) {
    const std::string_view line = Take(&rest, '\n');
    const std::string_view mounted = FieldOf(line, 4);
    if (mounted.empty() || FieldOf(line, 2) != device) continue;
    *path = call.Put(Unescape(text.bytes.data() + (mounted.data() - all.data()), mounted.size()));
    return true;
  }
  return false;
}

// One page of /proc/self/mountinfo. The statfs of the mount, with EAGAIN for: not there, `*offset` is the next page's.
Task<SysResult> StatMount(Call& call, Room<Page> page, Room<struct statfs> room, uint64_t* offset) {
  const Argument into = page;
  const SysResult read = co_await ReadHostFile(call, "/proc/self/mountinfo", into, sizeof(Page), *offset);
  if (!read.ok()) co_return read;
  uint64_t used = 0;
  Argument path;
  if (!PutMountPoint(call, page, read.value(), &used, &path)) {
    *offset += used;
    co_return SysResult::Error(used == 0 ? EINVAL : EAGAIN);
  }
  const SysResult told = co_await call.Run(Nr::statfs, path, room);
  co_return told;
}

}  // namespace

SysTask Legacy::Sysfs(Call& call, Below) const {
  const auto option = call.Arg<int>(0);
  if (option < 1 || option > 3) co_return SysResult::Error(EINVAL);
  const Room<Page> page = call.MakeRoom<Page>();
  const Argument into = page;
  const SysResult read = co_await ReadHostFile(call, "/proc/filesystems", into, sizeof(Page), 0);
  if (!read.ok()) co_return read;
  if (option == 3) co_return SysResult::Ok(CountOf(call, page, read.value()));

  const Room<FileSystemName> name = call.MakeRoom<FileSystemName>();
  const SysResult memory = co_await api::OpenMemory(call);
  if (!memory.ok()) co_return memory;
  SysResult result;
  if (option == 1) {
    const auto from = call.Arg<uint64_t>(1);
    const Argument to = name;
    const SysResult got = co_await api::ReadMemory(call, memory, from, to, sizeof(FileSystemName));
    result = got.ok() ? IndexOf(call, page, read.value(), call.Read(name), got.value()) : got;
  } else {
    uint64_t length = 0;
    const Argument text = PutName(call, page, read.value(), call.Arg<uint32_t>(1), &length);
    result = SysResult::Error(EINVAL);
    if (length != 0) {
      const auto to = call.Arg<uint64_t>(2);
      const SysResult put = co_await api::WriteMemory(call, memory, to, text, length);
      result = put.ok() ? SysResult::Ok() : put;
    }
  }
  const SysResult closed = co_await api::CloseMemory(call, memory);
  (void)closed;
  co_return result;
}

SysTask Legacy::Ustat(Call& call, Below) const {
  const Room<Page> page = call.MakeRoom<Page>();
  const Room<struct statfs> room = call.MakeRoom<struct statfs>();
  uint64_t offset = 0;
  SysResult told = SysResult::Error(EAGAIN);
  while (told.Is(EAGAIN)) {
    const SysResult tried = co_await StatMount(call, page, room, &offset);
    told = tried;
  }
  if (!told.ok()) co_return told;
  const struct statfs status = call.Read(room);
  UstatReply result = {};
  result.free_blocks = static_cast<int32_t>(status.f_bfree);
  result.free_inodes = status.f_ffree;
  call.CopyOut(1, result);
  co_return told;
}

}  // namespace guise::personalities
