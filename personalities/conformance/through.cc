#include "personalities/conformance/through.h"

namespace guise::personalities {

using api::Below;
using api::Call;
using api::SysResult;
using api::SysTask;
using syscall::Nr;

api::Registration Through::Register() { return {"through", &api::MakeWithoutArgument<Through>}; }

template <Nr kNr>
void Through::ClaimOne(api::Claims& claims) const {
  if constexpr (api::Claimable<kNr>) claims.Serve<kNr, &Through::Pass>(*this);
}

void Through::Claim(api::Claims& claims) const {
#define GUISE_SYSCALL(nr, name, ...) ClaimOne<Nr::name>(claims);
#include "proto/syscall/x86_64.def"
}

SysTask Through::Pass(Call& call, Below below) const {
  const SysResult result = co_await below(call);
  co_return result;
}

}  // namespace guise::personalities
