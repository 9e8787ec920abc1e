// The personalities that come with Guise.
#ifndef GUISE_SERVER_SHIPPED_H_
#define GUISE_SERVER_SHIPPED_H_

#include <vector>

#include "personalities/api/personality.h"

namespace guise::server {

// For DaemonMain: alone, or with others.
std::vector<api::Registration> ShippedPersonalities();

}  // namespace guise::server

#endif  // GUISE_SERVER_SHIPPED_H_
