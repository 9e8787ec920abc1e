// get*id and set*id, capget and capset. ABI: kernel/sys.c, kernel/groups.c, kernel/capability.c and
// security/commoncap.c of Linux 6.18; credentials(7), capabilities(7).
//
// Of a process, not of a thread: libcs make all threads change alike.
//
// PR_SET_KEEPCAPS of prctl(2) is the kernel's own: anybody may set it, forks hand it down and an exec clears it.
#include <linux/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "personalities/api/memory.h"
#include "personalities/fakeroot/fakeroot.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::Capabilities;
using api::Identity;
using api::Ids;
using api::Nr;
using api::Room;
using api::SysResult;
using api::SysTask;
using api::Task;
using Id = std::optional<uint32_t>;  // nullopt: -1, keep

namespace {

constexpr int kMaxGroups = 65536;  // ABI: NGROUPS_MAX
// More than the shim copies are not passed on.
constexpr int kCopiedGroups = 2048;

// --- The rules, for user and group ids alike. `capable`: CAP_SETUID or CAP_SETGID.

SysResult Set(Ids& ids, bool capable, Id id) {
  if (!id.has_value()) return SysResult::Error(EINVAL);
  if (capable) {
    ids.real = ids.saved = *id;
  } else if (*id != ids.real && *id != ids.saved) {
    return SysResult::Error(EPERM);
  }
  ids.effective = ids.filesystem = *id;
  return SysResult::Ok();
}

SysResult SetRe(Ids& ids, bool capable, Id real, Id effective) {
  const Ids old = ids;
  if (real.has_value() && !capable && *real != old.real && *real != old.effective) return SysResult::Error(EPERM);
  if (effective.has_value() && !capable && !old.HasAmongRes(*effective)) return SysResult::Error(EPERM);
  ids.real = real.value_or(old.real);
  ids.effective = effective.value_or(old.effective);
  if (real.has_value() || (effective.has_value() && *effective != old.real)) ids.saved = ids.effective;
  ids.filesystem = ids.effective;
  return SysResult::Ok();
}

SysResult SetRes(Ids& ids, bool capable, Id real, Id effective, Id saved) {
  const Ids old = ids;
  // What changes nothing leaves a different filesystem id alone, too.
  if (real.value_or(old.real) == old.real && saved.value_or(old.saved) == old.saved &&
      (!effective.has_value() || (*effective == old.effective && *effective == old.filesystem))) {
    return SysResult::Ok();
  }
  for (const Id id : {real, effective, saved}) {
    if (id.has_value() && !capable && !old.HasAmongRes(*id)) return SysResult::Error(EPERM);
  }
  ids.real = real.value_or(old.real);
  ids.effective = effective.value_or(old.effective);
  ids.saved = saved.value_or(old.saved);
  ids.filesystem = ids.effective;
  return SysResult::Ok();
}

// Never an error: the result is the id before, whatever happened.
SysResult SetFs(Ids& ids, bool capable, Id id) {
  const uint32_t before = ids.filesystem;
  if (id.has_value() && (capable || ids.HasAmongRes(*id))) ids.filesystem = *id;
  return SysResult::Ok(before);
}

SysResult SetGroupList(Identity& identity, int count, std::optional<std::string_view> list) {
  if (!identity.May(CAP_SETGID)) return SysResult::Error(EPERM);
  if (count < 0 || count > kMaxGroups) return SysResult::Error(EINVAL);
  if (count > 0 && !list.has_value()) return SysResult::Error(count > kCopiedGroups ? ENOMEM : EFAULT);
  const size_t bytes = static_cast<size_t>(count) * sizeof(uint32_t);
  if (count > 0 && list->size() < bytes) return SysResult::Error(ENOMEM);
  identity.groups.resize(static_cast<size_t>(count));
  if (count > 0) std::memcpy(identity.groups.data(), list->data(), bytes);
  if (std::find(identity.groups.begin(), identity.groups.end(), 0xffffffff) != identity.groups.end()) {
    return SysResult::Error(EINVAL);
  }
  std::sort(identity.groups.begin(), identity.groups.end());
  return SysResult::Ok();
}

// ABI: security/commoncap.c, cap_emulate_setxuid(). `keeps`: PR_SET_KEEPCAPS.
void FollowUids(const Ids& before, bool keeps, Identity& next) {
  Capabilities& capabilities = next.capabilities;
  if (before.HasAmongRes(0) && !next.uid.HasAmongRes(0) && !keeps) capabilities.permitted = 0;
  if (before.effective == 0 && next.uid.effective != 0) capabilities.effective = 0;
  if (before.effective != 0 && next.uid.effective == 0) capabilities.effective = capabilities.permitted;
  capabilities.effective &= capabilities.permitted;
}

// ABI: cap_task_fix_setuid(), and CAP_FS_SET of include/linux/capability.h.
void FollowFsUid(uint32_t before, Identity& next) {
  constexpr uint64_t kFiles = uint64_t{1} << CAP_CHOWN | uint64_t{1} << CAP_MKNOD | uint64_t{1} << CAP_DAC_OVERRIDE |
                              uint64_t{1} << CAP_DAC_READ_SEARCH | uint64_t{1} << CAP_FOWNER |
                              uint64_t{1} << CAP_FSETID | uint64_t{1} << CAP_LINUX_IMMUTABLE |
                              uint64_t{1} << CAP_MAC_OVERRIDE;
  Capabilities& capabilities = next.capabilities;
  if (before == 0 && next.uid.filesystem != 0) capabilities.effective &= ~kFiles;
  if (before != 0 && next.uid.filesystem == 0) capabilities.effective |= capabilities.permitted & kFiles;
}

// ABI: cap_capset().
SysResult SetCapabilities(Identity& identity, Capabilities next) {
  const Capabilities& old = identity.capabilities;
  const auto is_in = [](uint64_t set, uint64_t of) { return (set & ~of) == 0; };
  const bool may_inherit_more = identity.May(CAP_SETPCAP);
  if (!may_inherit_more && !is_in(next.inheritable, old.inheritable | old.permitted)) return SysResult::Error(EPERM);
  if (!is_in(next.permitted, old.permitted)) return SysResult::Error(EPERM);
  if (!is_in(next.effective, next.permitted)) return SysResult::Error(EPERM);
  identity.capabilities = next;
  return SysResult::Ok();
}

// Applies a rule to the caller's identity and commits what has changed.
template <typename Rule>
SysResult Change(Call& call, const Rule& rule) {
  api::SetIdentity next = {call.Credentials()};
  const SysResult result = rule(next.identity);
  if (result.ok() && !(next.identity == call.Credentials())) call.Commit(next);
  return result;
}

// Likewise, a rule for user ids.
template <typename Rule>
SysResult ChangeUids(Call& call, bool keeps, const Rule& rule) {
  return Change(call, [&](Identity& id) {
    const Ids before = id.uid;
    const SysResult result = rule(id.uid, id.May(CAP_SETUID));
    if (result.ok()) FollowUids(before, keeps, id);
    return result;
  });
}

Task<bool> KeepsCapabilities(Call& call) {
  if (!call.Credentials().uid.HasAmongRes(0)) co_return false;
  const SysResult flag = co_await call.Run(Nr::prctl, PR_GET_KEEPCAPS, 0, 0, 0, 0);
  co_return flag.ok() && flag.value() != 0;
}

// --- The words of capget(2) and capset(2).

// Sets of capabilities as these calls have them: the lower halves, then the upper ones.
using CapabilityWords = std::array<__user_cap_data_struct, 2>;

// nullopt: the kernel has something to say of the version.
std::optional<size_t> BytesOf(uint32_t version) {
  switch (version) {
    case _LINUX_CAPABILITY_VERSION_1:
      return sizeof(CapabilityWords) / 2;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
      return sizeof(CapabilityWords);
    default:
      return std::nullopt;
  }
}

std::optional<__user_cap_header_struct> HeaderIn(const Call& call) {
  const auto bytes = call.Arg<api::Bytes>(0).data;
  __user_cap_header_struct header = {};
  if (bytes.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header;
}

CapabilityWords WordsOf(const Capabilities& sets) {
  const auto half = [&](int shift) {
    return __user_cap_data_struct{static_cast<uint32_t>(sets.effective >> shift),
                                  static_cast<uint32_t>(sets.permitted >> shift),
                                  static_cast<uint32_t>(sets.inheritable >> shift)};
  };
  return {half(0), half(32)};
}

Capabilities SetsOf(const CapabilityWords& words) {
  const auto whole = [](uint32_t low, uint32_t high) { return (uint64_t{high} << 32 | low) & Capabilities::kAll; };
  return {whole(words[0].permitted, words[1].permitted), whole(words[0].effective, words[1].effective),
          whole(words[0].inheritable, words[1].inheritable)};
}

SysResult SetWords(Call& call, Room<CapabilityWords> room, size_t bytes) {
  CapabilityWords words = call.Read(room);
  if (bytes < sizeof(words)) words[1] = {};
  return Change(call, [&](Identity& id) { return SetCapabilities(id, SetsOf(words)); });
}

// Whether the calling thread is meant.
Task<bool> IsCaller(Call& call, int pid) {
  if (pid == 0) co_return true;
  const SysResult own = co_await call.Run(Nr::gettid);
  co_return own.ok() && static_cast<int>(own.value()) == pid;
}

SysResult CopyOutRes(Call& call, const Ids& ids) {
  call.CopyOut(0, ids.real);
  call.CopyOut(1, ids.effective);
  call.CopyOut(2, ids.saved);
  return SysResult::Ok();
}

SysResult CopyOutGroups(Call& call, int room, const Identity& identity) {
  if (room < 0) return SysResult::Error(EINVAL);
  const size_t count = identity.groups.size();
  if (room > 0) {
    if (count > static_cast<size_t>(room)) return SysResult::Error(EINVAL);
    // SAFETY: the bytes of the list.
    call.CopyOut(1, {reinterpret_cast<const char*>(identity.groups.data()), count * sizeof(uint32_t)});
  }
  return SysResult::Ok(count);
}

}  // namespace

SysTask Fakeroot::GetUid(Call& call, Below) const { co_return SysResult::Ok(call.Credentials().uid.real); }

SysTask Fakeroot::GetEuid(Call& call, Below) const { co_return SysResult::Ok(call.Credentials().uid.effective); }

SysTask Fakeroot::GetGid(Call& call, Below) const { co_return SysResult::Ok(call.Credentials().gid.real); }

SysTask Fakeroot::GetEgid(Call& call, Below) const { co_return SysResult::Ok(call.Credentials().gid.effective); }

SysTask Fakeroot::GetResUid(Call& call, Below) const { co_return CopyOutRes(call, call.Credentials().uid); }

SysTask Fakeroot::GetResGid(Call& call, Below) const { co_return CopyOutRes(call, call.Credentials().gid); }

SysTask Fakeroot::GetGroups(Call& call, Below) const {
  co_return CopyOutGroups(call, call.Arg<int>(0), call.Credentials());
}

SysTask Fakeroot::SetUid(Call& call, Below) const {
  const bool keeps = co_await KeepsCapabilities(call);
  co_return ChangeUids(call, keeps, [&](Ids& uid, bool capable) { return Set(uid, capable, call.OptionalId(0)); });
}

SysTask Fakeroot::SetGid(Call& call, Below) const {
  co_return Change(call, [&](Identity& id) { return Set(id.gid, id.May(CAP_SETGID), call.OptionalId(0)); });
}

SysTask Fakeroot::SetReUid(Call& call, Below) const {
  const bool keeps = co_await KeepsCapabilities(call);
  co_return ChangeUids(
      call, keeps, [&](Ids& uid, bool capable) { return SetRe(uid, capable, call.OptionalId(0), call.OptionalId(1)); });
}

SysTask Fakeroot::SetReGid(Call& call, Below) const {
  co_return Change(
      call, [&](Identity& id) { return SetRe(id.gid, id.May(CAP_SETGID), call.OptionalId(0), call.OptionalId(1)); });
}

SysTask Fakeroot::SetResUid(Call& call, Below) const {
  const bool keeps = co_await KeepsCapabilities(call);
  co_return ChangeUids(call, keeps, [&](Ids& uid, bool capable) {
    return SetRes(uid, capable, call.OptionalId(0), call.OptionalId(1), call.OptionalId(2));
  });
}

SysTask Fakeroot::SetResGid(Call& call, Below) const {
  co_return Change(call, [&](Identity& id) {
    return SetRes(id.gid, id.May(CAP_SETGID), call.OptionalId(0), call.OptionalId(1), call.OptionalId(2));
  });
}

SysTask Fakeroot::SetFsUid(Call& call, Below) const {
  co_return Change(call, [&](Identity& id) {
    const uint32_t before = id.uid.filesystem;
    const SysResult result = SetFs(id.uid, id.May(CAP_SETUID), call.OptionalId(0));
    FollowFsUid(before, id);
    return result;
  });
}

SysTask Fakeroot::SetFsGid(Call& call, Below) const {
  co_return Change(call, [&](Identity& id) { return SetFs(id.gid, id.May(CAP_SETGID), call.OptionalId(0)); });
}

SysTask Fakeroot::SetGroups(Call& call, Below) const {
  const auto list = call.Arg<api::Bytes>(1);
  co_return Change(call, [&](Identity& id) {
    return SetGroupList(id, call.Arg<int>(0), list.is_there() ? std::optional(list.data) : std::nullopt);
  });
}

SysTask Fakeroot::CapGet(Call& call, Below below) const {
  const std::optional<__user_cap_header_struct> header = HeaderIn(call);
  const std::optional<size_t> bytes = BytesOf(header.has_value() ? header->version : 0);
  if (!bytes.has_value() || call.Arg<uint64_t>(1) == 0) co_return below.Tail(call);
  const int pid = header->pid;
  const bool is_caller = co_await IsCaller(call, pid);
  // Another's are the host's to tell.
  if (!is_caller) co_return below.Tail(call);
  const CapabilityWords words = WordsOf(call.Credentials().capabilities);
  call.CopyOut(1, {reinterpret_cast<const char*>(words.data()), *bytes});
  co_return SysResult::Ok();
}

SysTask Fakeroot::CapSet(Call& call, Below below) const {
  const std::optional<__user_cap_header_struct> header = HeaderIn(call);
  const std::optional<size_t> bytes = BytesOf(header.has_value() ? header->version : 0);
  if (!bytes.has_value()) co_return below.Tail(call);
  const int pid = header->pid;
  const bool is_caller = co_await IsCaller(call, pid);
  if (!is_caller) co_return SysResult::Error(EPERM);
  const Room<CapabilityWords> room = call.MakeRoom<CapabilityWords>();
  const SysResult memory = co_await OpenMemory(call);
  if (!memory.ok()) co_return memory;
  const Argument to = room;
  const auto from = call.Arg<uint64_t>(1);
  const uint64_t size = *bytes;
  const SysResult read = co_await ReadMemory(call, memory, from, to, size);
  [[maybe_unused]] const SysResult closed = co_await CloseMemory(call, memory);
  if (!read.ok()) co_return read;
  if (read.value() != size) co_return SysResult::Error(EFAULT);
  co_return SetWords(call, room, size);
}

}  // namespace guise::personalities
