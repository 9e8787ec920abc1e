// The way of waiting where io_uring has no futexes or is refused: see workers.h.
#ifndef GUISE_SERVER_CHANNEL_FUTEX_WORKERS_H_
#define GUISE_SERVER_CHANNEL_FUTEX_WORKERS_H_

#include <memory>

#include "server/channel/workers.h"

namespace guise::server {

std::unique_ptr<Workers> MakeFutexWorkers();

}  // namespace guise::server

#endif  // GUISE_SERVER_CHANNEL_FUTEX_WORKERS_H_
