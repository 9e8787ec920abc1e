#include "shim/gate/arguments.h"

#include "proto/wire/slot.h"
#include "shim/guest_memory.h"

namespace guise::shim {
namespace {

using syscall::Arg;
using syscall::ArgKind;

constexpr uint64_t kRoom = wire::kRunAreaOffset;
constexpr uint64_t kPathMax = 4096;

// Bytes that an argument of fixed or counted size has; 0 for what is not copied.
uint64_t SizeOf(const Arg& arg, const uint64_t* args) {
  const uint64_t count = arg.has_link() ? args[arg.link] : 0;
  switch (arg.kind) {
    case ArgKind::StructIn:
    case ArgKind::StructInOut:
      return arg.bytes;
    case ArgKind::BufIn:
      return count > kRoom ? 0 : arg.bytes + count;
    case ArgKind::ArrayIn:
    case ArgKind::ArrayInOut:
      return count > kRoom ? 0 : count * arg.bytes;
    case ArgKind::SockAddrIn:
    case ArgKind::SigSetIn:
      return count > kRoom ? 0 : count;
    default:
      return 0;
  }
}

}  // namespace

void CopyArguments(const GuestCall& call, char* payload, wire::Cell<uint16_t>* copies) {
  for (int i = 0; i < 6; ++i) copies[i].StoreRelaxed(0);
  const syscall::Row* const row = syscall::Find(static_cast<uint32_t>(call.nr));
  if (row == nullptr) return;
  uint64_t used = 0;
  for (size_t i = 0; i < row->Arity(); ++i) {
    const Arg& arg = row->args[i];
    const uint64_t at = call.args[i];
    if (at == 0) continue;
    if (arg.kind == ArgKind::Path || arg.kind == ArgKind::Str) {
      const uint64_t room = kRoom - used < kPathMax ? kRoom - used : kPathMax;
      const int64_t length = ReadGuestString(payload + used, at, room);
      if (length < 0) continue;
      copies[i].StoreRelaxed(static_cast<uint16_t>(used + 1));
      used += static_cast<uint64_t>(length) + 1;
    } else if (const uint64_t size = SizeOf(arg, call.args); size != 0 && size <= kRoom - used) {
      if (!ReadGuest(payload + used, at, size)) continue;
      copies[i].StoreRelaxed(static_cast<uint16_t>(used + 1));
      used += size;
    }
    used = (used + 7) & ~uint64_t{7};
    if (used > kRoom) used = kRoom;
  }
}

}  // namespace guise::shim
