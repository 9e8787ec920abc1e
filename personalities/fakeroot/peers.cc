// Who is at the other end of a unix socket: getsockopt(2) with SO_PEERCRED. D-Bus and its kin ask, and compare with
// what the other end says of itself, which is what it has been told. The host's user is shown as root, as the owner of
// its files is; what a peer's ids have become since is not looked for.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "personalities/fakeroot/fakeroot.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Bytes;
using api::Call;
using api::Nr;
using api::Owner;
using api::Room;
using api::SysResult;
using api::SysTask;

namespace {

bool AsksForPeer(const Call& call) { return call.Arg<int>(1) == SOL_SOCKET && call.Arg<int>(2) == SO_PEERCRED; }

// How many bytes the caller has room for; the kernel has found that it is not less than none.
size_t RoomOf(const Call& call) {
  const std::string_view length = call.Arg<Bytes>(4).data;
  int32_t asked = 0;
  if (length.size() != sizeof(asked)) return 0;
  std::memcpy(&asked, length.data(), sizeof(asked));
  return static_cast<size_t>(std::clamp<int32_t>(asked, 0, sizeof(ucred)));
}

}  // namespace

SysTask Fakeroot::GetSocketOption(Call& call, Below below) const {
  if (!AsksForPeer(call)) co_return below.Tail(call);
  const SysResult result = co_await below(call);
  if (!result.ok()) co_return result;
  // Again, to see it here; the length is now how much the kernel tells.
  const Argument socket = call.Pass(0);
  const Argument length = call.Pass(4);
  const Room<ucred> room = call.MakeRoom<ucred>();
  const SysResult again = co_await call.Run(Nr::getsockopt, socket, SOL_SOCKET, SO_PEERCRED, room, length);
  if (!again.ok()) co_return again;
  ucred peer = call.Read(room);
  const Owner shown = call.ShownOwner({}, {peer.uid, peer.gid});
  peer.uid = shown.uid;
  peer.gid = shown.gid;
  const size_t told = RoomOf(call);
  if (told > 0) call.CopyOut(3, std::string_view(reinterpret_cast<const char*>(&peer), told));
  co_return result;
}

void Fakeroot::ClaimPeers(api::Claims& claims) const {
  // Of the options' numbers, so that few others come here: 16 to 31, 48 to 63.
  constexpr uint32_t kBit = 16;
  static_assert((SO_PEERCRED & kBit) != 0);
  claims.ServeOnce<Nr::getsockopt, &Fakeroot::GetSocketOption>(api::Once::kBegun, *this).IfAny(2, kBit);
}

}  // namespace guise::personalities
