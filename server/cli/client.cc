#include "server/cli/client.h"

#include <utility>

#include "server/cli/unary_call.h"
#include "server/launch/server_start.h"

namespace guise::server {

absl::StatusOr<Client> Client::Connect() {
  absl::StatusOr<RuntimeDirectory> directory = RuntimeDirectory::Open(RuntimeDirectory::DefaultPath());
  if (absl::IsNotFound(directory.status())) {
    return absl::UnavailableError("no server runs (there is no runtime directory " + RuntimeDirectory::DefaultPath() +
                                  "); `guise run` or `guise server start` starts one");
  }
  if (!directory.ok()) return directory.status();
  absl::StatusOr<OwnedFd> connection = ConnectToServer(*directory);
  if (absl::IsUnavailable(connection.status())) {
    return absl::UnavailableError("no server runs at " + directory->path() +
                                  "; `guise run` or `guise server start` starts one");
  }
  if (!connection.ok()) return connection.status();
  return Client(*std::move(directory), *std::move(connection));
}

absl::StatusOr<Client> Client::ConnectOrStart(const SignalState& signals, int idle_exit) {
  absl::StatusOr<RuntimeDirectory> directory = RuntimeDirectory::Make(RuntimeDirectory::DefaultPath());
  if (!directory.ok()) return directory.status();
  absl::StatusOr<OwnedFd> connection = ConnectOrStartServer(*directory, signals, idle_exit);
  if (!connection.ok()) return connection.status();
  return Client(*std::move(directory), *std::move(connection));
}

absl::StatusOr<std::string> Client::CallWithBytes(const char* path, const std::string& request,
                                                  absl::Duration timeout) {
  OwnedFd connection = std::move(connection_);
  if (!connection) {
    absl::StatusOr<OwnedFd> next = ConnectToServer(directory_);
    if (!next.ok()) return next.status();
    connection = *std::move(next);
  }
  return UnaryCall(connection.get(), path, request, timeout);
}

}  // namespace guise::server
