// The filters of sandboxed sessions, made when Guise is built: libseccomp needs longer for one than its process needs
// to start.
#ifndef GUISE_SERVER_FLOOR_MADE_FILTERS_H_
#define GUISE_SERVER_FLOOR_MADE_FILTERS_H_

#include <linux/filter.h>

#include <vector>

#include "server/floor/sandbox_filter.h"

namespace guise::server {

// What Landlock here does not keep for a process with this one's standard descriptors.
FilterGaps GapsOfLandlock();

// What SandboxFilter() answers.
std::vector<sock_filter> MadeSandboxFilter(const FilterGaps& gaps);

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_MADE_FILTERS_H_
