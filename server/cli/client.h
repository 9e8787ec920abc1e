// The CLI's way to a server: a connection, on which it calls one of the server's methods.
#ifndef GUISE_SERVER_CLI_CLIENT_H_
#define GUISE_SERVER_CLI_CLIENT_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/cli/methods.h"
#include "server/launch/runtime_directory.h"
#include "server/launch/signal_state.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

// Movable, not thread-safe.
class Client {
 public:
  // UNAVAILABLE, with the remedy, when no server runs.
  static absl::StatusOr<Client> Connect();
  // Starts a private server when none runs. `idle_exit` in seconds.
  static absl::StatusOr<Client> ConnectOrStart(const SignalState& signals, int idle_exit);

  const RuntimeDirectory& directory() const { return directory_; }

  // Errors come back as the server worded them. Calls behind the first connect anew.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(const Method<Request, Response>& method, const Request& request,
                                absl::Duration timeout = kTimeout) {
    const absl::StatusOr<std::string> answer = CallWithBytes(method.path, request.SerializeAsString(), timeout);
    if (!answer.ok()) return answer.status();
    Response response;
    if (response.ParseFromString(*answer)) return response;
    return absl::InternalError(absl::StrCat("the server's answer to ", method.path, " is not understood"));
  }

 private:
  static constexpr absl::Duration kTimeout = absl::Seconds(30);

  Client(RuntimeDirectory directory, OwnedFd connection)
      : directory_(std::move(directory)), connection_(std::move(connection)) {}
  absl::StatusOr<std::string> CallWithBytes(const char* path, const std::string& request, absl::Duration timeout);

  RuntimeDirectory directory_;
  OwnedFd connection_;  // none: it has been used
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_CLIENT_H_
