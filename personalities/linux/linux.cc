#include "personalities/linux/linux.h"

namespace guise::personalities {

api::Registration Linux::Register() {
  return {"linux", [] { return std::unique_ptr<api::Personality>(std::make_unique<Linux>()); }};
}

void Linux::Claim(api::Claims&) const {}

}  // namespace guise::personalities
