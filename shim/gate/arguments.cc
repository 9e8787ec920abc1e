#include "shim/gate/arguments.h"

#include "proto/syscall/extent.h"
#include "proto/wire/slot.h"
#include "shim/guest_memory.h"

namespace guise::shim {
namespace {

using syscall::Arg;
using syscall::ArgKind;

constexpr uint64_t kRoom = wire::kRunAreaOffset;
constexpr uint64_t kPathMax = 4096;

bool IsRead(const Arg& arg) { return arg.access() == syscall::Access::In || arg.access() == syscall::Access::InOut; }

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
    if (!IsRead(arg)) continue;
    uint64_t size;
    if (arg.kind == ArgKind::Path || arg.kind == ArgKind::Str) {
      const uint64_t room = kRoom - used < kPathMax ? kRoom - used : kPathMax;
      const int64_t length = ReadGuestString(payload + used, at, room);
      if (length < 0) continue;
      size = static_cast<uint64_t>(length) + 1;
    } else {
      const syscall::Extent extent = syscall::ExtentOf(*row, i, call.args);
      size = extent.bytes;
      // Sizes that other memory tells are a handler's to ask for.
      if (extent.source != syscall::Extent::Source::Registers || size == 0 || size > kRoom - used) continue;
      if (!ReadGuest(payload + used, at, size)) continue;
    }
    copies[i].StoreRelaxed(static_cast<uint16_t>(used + 1));
    used += size;
    used = (used + 7) & ~uint64_t{7};
    if (used > kRoom) used = kRoom;
  }
}

}  // namespace guise::shim
