#include "server/channel/workers.h"

#include "server/channel/futex_workers.h"
#include "server/channel/uring_workers.h"

namespace guise::server {

absl::StatusOr<std::unique_ptr<Workers>> Workers::Start(const Options& options) {
  if (options.allow_io_uring) {
    absl::StatusOr<std::unique_ptr<Workers>> workers = MakeUringWorkers();
    if (workers.ok()) return workers;
  }
  return MakeFutexWorkers();
}

}  // namespace guise::server
