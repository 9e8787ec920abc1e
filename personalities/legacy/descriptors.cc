// Old calls on descriptors that are more than other arguments of a new one.
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "personalities/legacy/legacy.h"

namespace guise::personalities {

using api::Below;
using api::Call;
using api::Nr;
using api::Room;
using api::SysResult;
using api::SysTask;

namespace {

// ABI: include/linux/dirent.h, struct linux_dirent64, and fs/readdir.c, struct linux_dirent: the new one has the type
// before the name, the old one in its last byte. Both are as long.
struct Entry {
  uint64_t inode;
  int64_t next;
  uint16_t size;
} __attribute__((packed));
constexpr size_t kOldName = sizeof(Entry);
constexpr size_t kNewName = sizeof(Entry) + 1;

using Entries = std::array<char, 4096>;

void CopyOutOld(Call& call, Room<Entries> room, size_t used) {
  Entries entries = call.Read(room);
  used = std::min(used, entries.size());
  for (size_t at = 0; at + kNewName < used;) {
    Entry entry;
    std::memcpy(&entry, entries.data() + at, sizeof(entry));
    // What comes from the guest's side may be anything.
    if (entry.size <= kNewName || entry.size > used - at) break;
    char* const start = entries.data() + at;
    const char type = start[kOldName];
    std::memmove(start + kOldName, start + kNewName, entry.size - kNewName);
    start[entry.size - 1] = type;
    at += entry.size;
  }
  call.CopyOut(1, {entries.data(), used});
}

}  // namespace

// dup3(2) refuses what dup2(2) takes for granted.
SysTask Legacy::Dup2Same(Call& call, Below) const {
  const SysResult flags = co_await call.Run(Nr::fcntl, call.Pass(0), F_GETFD, 0);
  if (!flags.ok()) co_return flags;
  co_return SysResult::Ok(call.Arg<uint32_t>(1));
}

// ABI: fs/eventpoll.c: the size is checked and forgotten.
SysTask Legacy::EpollCreate(Call& call, Below below) const {
  if (call.Arg<int>(0) <= 0) co_return SysResult::Error(EINVAL);
  co_return below.Tail(call.As(Nr::epoll_create1, 0));
}

SysTask Legacy::Getdents(Call& call, Below) const {
  const Room<Entries> room = call.MakeRoom<Entries>();
  // ABI: fs/readdir.c: what is negative as an int has room for no entry (EINVAL), if there is one.
  const auto wanted = call.Arg<uint32_t>(2);
  const auto size = wanted > INT32_MAX ? wanted : std::min(wanted, static_cast<uint32_t>(sizeof(Entries)));
  const SysResult result = co_await call.Run(Nr::getdents64, call.Pass(0), room, size);
  if (result.ok() && result.value() != 0) CopyOutOld(call, room, result.value());
  co_return result;
}

}  // namespace guise::personalities
