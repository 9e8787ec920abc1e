#include "personalities/linux/linux.h"

namespace guise::personalities {

api::Registration Linux::Register() { return {"linux", &api::MakeWithoutArgument<Linux>}; }

void Linux::Claim(api::Claims&) const {}

}  // namespace guise::personalities
