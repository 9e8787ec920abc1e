// sysfs(2) and ustat(2), by what /proc tells.
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
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

// ABI: fs/filesystems.c: /proc/filesystems has them in the order of their numbers, "nodev\text4" each line.
std::vector<std::string> FileSystems(const std::string& text) {
  std::vector<std::string> names;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    names.emplace_back(line.substr(line.find('\t') + 1));
  }
  return names;
}

SysResult IndexOf(const std::vector<std::string>& names, const FileSystemName& wanted, uint64_t size) {
  const std::string name(wanted.data(), strnlen(wanted.data(), std::min<uint64_t>(size, wanted.size())));
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return SysResult::Ok(i);
  }
  return SysResult::Error(EINVAL);
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

// ABI: include/linux/kdev_t.h, new_decode_dev().
std::string DeviceOf(uint32_t dev) {
  return std::to_string((dev & 0xfff00) >> 8) + ":" + std::to_string((dev & 0xff) | ((dev >> 12) & 0xfff00));
}

// ABI: proc_pid_mountinfo(5): blanks, tabs, newlines and backslashes are \ooo.
std::string Unescaped(absl::string_view text) {
  std::string path;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '\\' && i + 3 < text.size();
    path +=
        escaped ? static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0') : text[i];
    if (escaped) i += 3;
  }
  return path;
}

// Where the device is mounted, by the whole lines of `text`; `*used`: their bytes.
std::optional<std::string> MountPoint(const std::string& text, const std::string& device, uint64_t* used) {
  *used = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  for (const absl::string_view line : absl::StrSplit(text.substr(0, *used), '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(' ', 5));
    if (fields.size() > 4 && fields[2] == device) return Unescaped(fields[4]);
  }
  return std::nullopt;
}

// One page of /proc/self/mountinfo. The statfs of the mount, with EAGAIN for: not there, `*offset` is the next page's.
Task<SysResult> StatMount(Call& call, Room<Page> page, Room<struct statfs> room, uint64_t* offset) {
  const Argument into = page;
  const SysResult read = co_await ReadHostFile(call, "/proc/self/mountinfo", into, sizeof(Page), *offset);
  if (!read.ok()) co_return read;
  uint64_t used = 0;
  const std::optional<std::string> path =
      MountPoint(TextOf(call, page, read.value()), DeviceOf(call.Arg<uint32_t>(0)), &used);
  if (!path.has_value()) {
    *offset += used;
    co_return SysResult::Error(used == 0 ? EINVAL : EAGAIN);
  }
  const Argument put = call.Put(*path);
  const SysResult told = co_await call.Run(Nr::statfs, put, room);
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
  if (option == 3) co_return SysResult::Ok(FileSystems(TextOf(call, page, read.value())).size());

  const Room<FileSystemName> name = call.MakeRoom<FileSystemName>();
  const SysResult memory = co_await api::OpenMemory(call);
  if (!memory.ok()) co_return memory;
  SysResult result;
  if (option == 1) {
    const auto from = call.Arg<uint64_t>(1);
    const Argument to = name;
    const SysResult got = co_await api::ReadMemory(call, memory, from, to, sizeof(FileSystemName));
    result = got.ok() ? IndexOf(FileSystems(TextOf(call, page, read.value())), call.Read(name), got.value()) : got;
  } else {
    const std::vector<std::string> names = FileSystems(TextOf(call, page, read.value()));
    const auto index = call.Arg<uint32_t>(1);
    result = SysResult::Error(EINVAL);
    if (index < names.size()) {
      const Argument text = call.Put(names[index]);
      const auto to = call.Arg<uint64_t>(2);
      const SysResult put = co_await api::WriteMemory(call, memory, to, text, names[index].size() + 1);
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
