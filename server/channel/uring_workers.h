// The way of waiting on io_uring futexes: see workers.h.
#ifndef GUISE_SERVER_CHANNEL_URING_WORKERS_H_
#define GUISE_SERVER_CHANNEL_URING_WORKERS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/channel/workers.h"

namespace guise::server {

// FAILED_PRECONDITION where io_uring is absent or refused, or has no futexes.
absl::StatusOr<std::unique_ptr<Workers>> MakeUringWorkers();

}  // namespace guise::server

#endif  // GUISE_SERVER_CHANNEL_URING_WORKERS_H_
