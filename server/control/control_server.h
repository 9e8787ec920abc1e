// The control plane: gRPC over connections that are accepted and judged here.
//
// gRPC's local credentials do not look at the peer, so guised accepts by itself, asks the kernel who calls, and hands
// the connection to one of two gRPC servers: the one that serves, or one that answers every call with
// PERMISSION_DENIED and the reason, so that a refused caller reads why.
#ifndef GUISE_SERVER_CONTROL_CONTROL_SERVER_H_
#define GUISE_SERVER_CONTROL_CONTROL_SERVER_H_

#include <grpcpp/server.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/control/caller.h"
#include "server/control/server_service.h"
#include "server/control/sessions_service.h"
#include "server/guest/peer.h"
#include "server/reactor/reactor.h"
#include "server/session/sessions.h"

namespace guise::server {

class ControlServer {
 public:
  // Watches `listener`, a listening non-blocking stream socket, which stays the caller's.
  // REQUIRES: the references and the fd outlive the result.
  static absl::StatusOr<std::unique_ptr<ControlServer>> Start(Reactor& reactor, Sessions& sessions, int listener,
                                                              ServerService::Facts facts);
  // REQUIRES: Close() and Drain() were called.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // Takes no more connections. REQUIRES: on the reactor's thread, or it does not run.
  void Close();
  // Ends calls in progress, and returns when they have ended. Those that stop a session end with it.
  // REQUIRES: not on the reactor's thread, and the reactor runs: what calls wait for is its work.
  void Drain();

 private:
  class Refusal;

  ControlServer(Reactor& reactor, Sessions& sessions, int listener, ServerService::Facts facts);
  absl::Status Serve();
  void Accept();
  void Pause(int error);
  // OK, or why this caller is refused.
  absl::Status Judge(const Caller& caller, const Peer& peer) const;

  Reactor& reactor_;
  Sessions& sessions_;
  const int listener_;
  Callers callers_;
  SessionsService sessions_service_;
  ServerService server_service_;
  bool closed_ = false;
  std::optional<Reactor::TimerId> pause_;  // while the listener is left alone
  std::unique_ptr<Refusal> refusal_;
  std::unique_ptr<grpc::Server> refusing_;
  std::unique_ptr<grpc::Server> serving_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CONTROL_CONTROL_SERVER_H_
