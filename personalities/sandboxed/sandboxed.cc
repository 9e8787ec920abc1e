#include "personalities/sandboxed/sandboxed.h"

namespace guise::personalities {

api::Registration Sandboxed::Register() { return {"sandboxed", &api::MakeWithoutArgument<Sandboxed>}; }

void Sandboxed::Claim(api::Claims& claims) const {
  claims.SpeakForSandbox();
  claims.ShowHiddenAsAbsent();
}

}  // namespace guise::personalities
