// The only place that names concrete personalities.
#include "server/shipped.h"

#include "personalities/fakeroot/fakeroot.h"
#include "personalities/legacy/legacy.h"
#include "personalities/linux/linux.h"
#include "personalities/nosync/nosync.h"
#include "personalities/sandboxed/sandboxed.h"

namespace guise::server {

std::vector<api::Registration> ShippedPersonalities() {
  return {personalities::Linux::Register(), personalities::Fakeroot::Register(), personalities::Legacy::Register(),
          personalities::Sandboxed::Register(), personalities::Nosync::Register()};
}

}  // namespace guise::server
