#include "personalities/sandboxed/sandboxed.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdint>

namespace guise::personalities {

using api::Below;
using api::Call;
using api::Nr;
using api::SysResult;
using api::SysTask;

api::Registration Sandboxed::Register() { return {"sandboxed", &api::MakeWithoutArgument<Sandboxed>}; }

void Sandboxed::Claim(api::Claims& claims) const {
  claims.SpeakForSandbox();
  claims.ShowHiddenAsAbsent();
  claims.Attempt<Nr::chown, &Sandboxed::ChangeIds<1, 2>>(*this, api::AskOn::kInvalid);
  claims.Attempt<Nr::lchown, &Sandboxed::ChangeIds<1, 2>>(*this, api::AskOn::kInvalid);
  claims.Attempt<Nr::fchown, &Sandboxed::ChangeIds<1, 2>>(*this, api::AskOn::kInvalid);
  claims.Attempt<Nr::fchownat, &Sandboxed::ChangeIds<2, 3>>(*this, api::AskOn::kInvalid);
  claims.Attempt<Nr::setuid, &Sandboxed::ChangeIds<0, 0>>(*this, api::AskOn::kInvalid);
  claims.Attempt<Nr::setgid, &Sandboxed::ChangeIds<0, 0>>(*this, api::AskOn::kInvalid);
  claims.Attempt<Nr::setreuid, &Sandboxed::ChangeIds<0, 1>>(*this, api::AskOn::kInvalid);
  claims.Attempt<Nr::setregid, &Sandboxed::ChangeIds<0, 1>>(*this, api::AskOn::kInvalid);
  claims.Attempt<Nr::setresuid, &Sandboxed::ChangeIds<0, 2>>(*this, api::AskOn::kInvalid);
  claims.Attempt<Nr::setresgid, &Sandboxed::ChangeIds<0, 2>>(*this, api::AskOn::kInvalid);
}

// ABI: user_namespaces(7): an id that the floor's namespace does not map is EINVAL there, after all that chown(2) finds
// else; whoever has no capabilities is told EPERM of it outside.
template <size_t kFirst, size_t kLast>
SysTask Sandboxed::ChangeIds(Call& call, Below below) const {
  const SysResult result = co_await below(call);
  constexpr auto kNone = static_cast<uint32_t>(-1);
  constexpr uint32_t kFlags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
  const bool knows_flags = call.nr() != Nr::fchownat || (call.Arg<uint32_t>(4) & ~kFlags) == 0;
  bool names_one = false;
  for (size_t i = kFirst; i <= kLast; ++i) names_one |= call.Arg<uint32_t>(i) != kNone;
  if (result.Is(EINVAL) && names_one && knows_flags) co_return SysResult::Error(EPERM);
  co_return result;
}

}  // namespace guise::personalities
