// get*id and set*id. ABI: kernel/sys.c and kernel/groups.c of Linux 6.18; credentials(7).
//
// Of a process, not of a thread: libcs make all threads change alike.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "personalities/fakeroot/fakeroot.h"

namespace guise::personalities {

using api::Below;
using api::Call;
using api::Identity;
using api::Ids;
using api::SysResult;
using api::SysTask;
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
  if (!identity.MaySetIds()) return SysResult::Error(EPERM);
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

// Applies a rule to the caller's identity and commits what has changed.
template <typename Rule>
SysResult Change(Call& call, const Rule& rule) {
  api::SetIdentity next = {call.Credentials()};
  const SysResult result = rule(next.identity);
  if (result.ok() && !(next.identity == call.Credentials())) call.Commit(next);
  return result;
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
  co_return Change(call, [&](Identity& id) { return Set(id.uid, id.MaySetIds(), call.OptionalId(0)); });
}

SysTask Fakeroot::SetGid(Call& call, Below) const {
  co_return Change(call, [&](Identity& id) { return Set(id.gid, id.MaySetIds(), call.OptionalId(0)); });
}

SysTask Fakeroot::SetReUid(Call& call, Below) const {
  co_return Change(call,
                   [&](Identity& id) { return SetRe(id.uid, id.MaySetIds(), call.OptionalId(0), call.OptionalId(1)); });
}

SysTask Fakeroot::SetReGid(Call& call, Below) const {
  co_return Change(call,
                   [&](Identity& id) { return SetRe(id.gid, id.MaySetIds(), call.OptionalId(0), call.OptionalId(1)); });
}

SysTask Fakeroot::SetResUid(Call& call, Below) const {
  co_return Change(call, [&](Identity& id) {
    return SetRes(id.uid, id.MaySetIds(), call.OptionalId(0), call.OptionalId(1), call.OptionalId(2));
  });
}

SysTask Fakeroot::SetResGid(Call& call, Below) const {
  co_return Change(call, [&](Identity& id) {
    return SetRes(id.gid, id.MaySetIds(), call.OptionalId(0), call.OptionalId(1), call.OptionalId(2));
  });
}

SysTask Fakeroot::SetFsUid(Call& call, Below) const {
  co_return Change(call, [&](Identity& id) { return SetFs(id.uid, id.MaySetIds(), call.OptionalId(0)); });
}

SysTask Fakeroot::SetFsGid(Call& call, Below) const {
  co_return Change(call, [&](Identity& id) { return SetFs(id.gid, id.MaySetIds(), call.OptionalId(0)); });
}

SysTask Fakeroot::SetGroups(Call& call, Below) const {
  const auto list = call.Arg<api::Bytes>(1);
  co_return Change(call, [&](Identity& id) {
    return SetGroupList(id, call.Arg<int>(0), list.is_there() ? std::optional(list.data) : std::nullopt);
  });
}

}  // namespace guise::personalities
