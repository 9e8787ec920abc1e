// A way into the sandbox of a session that lives: one of the processes in it.
#ifndef GUISE_SERVER_LAUNCH_ENTRANCE_H_
#define GUISE_SERVER_LAUNCH_ENTRANCE_H_

#include <sys/types.h>

#include <vector>

#include "absl/status/statusor.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

struct Entrance {
  pid_t pid = 0;  // of a process in the sandbox
  OwnedFd pidfd;  // its
  OwnedFd image;  // the shim's image as it is seen there, O_PATH
};

// Looks among `guests`, which are guests' word, for one that runs on the shim's image `image` and descends from
// `keeper`, the process that has set the sandbox up: nobody leaves a sandbox, and the keeper starts nothing else.
// UNAVAILABLE: there is none.
absl::StatusOr<Entrance> FindEntrance(const std::vector<pid_t>& guests, pid_t keeper, int image);

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_ENTRANCE_H_
