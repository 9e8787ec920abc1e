// Finding the user's server, and starting it when there is none.
#ifndef GUISE_SERVER_LAUNCH_SERVER_START_H_
#define GUISE_SERVER_LAUNCH_SERVER_START_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/launch/runtime_directory.h"
#include "server/launch/signal_state.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

// A connection to the control socket. UNAVAILABLE when no server listens.
absl::StatusOr<OwnedFd> ConnectToServer(const RuntimeDirectory& directory);

// The same; when no server listens, one is started from `FindServerBinary()`, which ends itself after `idle_exit`
// seconds without sessions (0: never). Callers that find none at the same time start one between them. Blocks until the
// server listens or has failed; the error says what it said.
absl::StatusOr<OwnedFd> ConnectOrStartServer(const RuntimeDirectory& directory, const SignalState& signals,
                                             int idle_exit);

// Runs guised with these arguments until it has detached itself (or failed); what it wrote to stderr is the error.
absl::Status StartServer(const std::vector<std::string>& arguments, const SignalState& signals);

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_SERVER_START_H_
