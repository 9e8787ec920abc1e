// The CLI's way to a server: a connection of its own and the two services on it.
#ifndef GUISE_SERVER_CLI_CLIENT_H_
#define GUISE_SERVER_CLI_CLIENT_H_

#include <grpcpp/client_context.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/control/v1/server.grpc.pb.h"
#include "proto/control/v1/sessions.grpc.pb.h"
#include "server/launch/runtime_directory.h"
#include "server/launch/signal_state.h"

namespace guise::server {

// Movable, not thread-safe.
class Client {
 public:
  // UNAVAILABLE, with the remedy, when no server runs.
  static absl::StatusOr<Client> Connect();
  // Starts a private server when none runs. `idle_exit` in seconds.
  static absl::StatusOr<Client> ConnectOrStart(const SignalState& signals, int idle_exit);

  // Closes the connection in a thread of its own: gRPC takes some milliseconds to end its threads, and nobody is to
  // wait for them. A process that may be at that leaves by _exit(2): destructors of static objects would run beside it.
  static void CloseBeside(Client client);

  const RuntimeDirectory& directory() const { return directory_; }
  v1::Sessions::Stub& sessions() { return *sessions_; }
  v1::Server::Stub& server() { return *server_; }

  // One call: call(&Stub::Method, stub, request) with a deadline; errors come back as the server worded them.
  template <typename Response, typename Stub, typename Request>
  static absl::StatusOr<Response> Call(Stub& stub,
                                       grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                       const Request& request, absl::Duration timeout = kTimeout) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(DeadlineIn(timeout)));
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (!status.ok()) return ToAbsl(status);
    return response;
  }

 private:
  static constexpr absl::Duration kTimeout = absl::Seconds(30);

  Client(RuntimeDirectory directory, int connection);
  static absl::StatusOr<Client> ConnectFromOutside();
  static absl::Time DeadlineIn(absl::Duration timeout);
  static absl::Status ToAbsl(const grpc::Status& status);

  RuntimeDirectory directory_;
  std::unique_ptr<v1::Sessions::Stub> sessions_;
  std::unique_ptr<v1::Server::Stub> server_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_CLIENT_H_
