// guise.v1.Sessions over the registry of sessions.
#ifndef GUISE_SERVER_CONTROL_SESSIONS_SERVICE_H_
#define GUISE_SERVER_CONTROL_SESSIONS_SERVICE_H_

#include <atomic>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proto/control/v1/sessions.grpc.pb.h"
#include "server/control/caller.h"
#include "server/session/sessions.h"

namespace guise::server {

// Thread-safe: gRPC calls it from many threads. Calls that wait give up when their caller has gone or Quit() was
// called.
class SessionsService final : public v1::Sessions::Service {
 public:
  // REQUIRES: the references outlive this.
  SessionsService(Sessions& sessions, const Callers& callers) : sessions_(sessions), callers_(callers) {}

  // Ends calls that wait, with UNAVAILABLE.
  void Quit() { quit_.store(true); }

  grpc::Status Create(grpc::ServerContext* context, const v1::CreateSessionRequest* request,
                      v1::Session* response) override;
  grpc::Status List(grpc::ServerContext* context, const v1::ListSessionsRequest* request,
                    v1::ListSessionsResponse* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetSessionRequest* request, v1::Session* response) override;
  grpc::Status PublishStack(grpc::ServerContext* context, const v1::PublishStackRequest* request,
                            v1::PublishStackResponse* response) override;
  grpc::Status Place(grpc::ServerContext* context, const v1::PlaceRequest* request,
                     v1::PlaceResponse* response) override;
  grpc::Status Drain(grpc::ServerContext* context, const v1::DrainRequest* request,
                     v1::DrainResponse* response) override;
  grpc::Status ExecInto(grpc::ServerContext* context, const v1::ExecIntoRequest* request,
                        v1::ExecIntoResponse* response) override;
  grpc::Status Stop(grpc::ServerContext* context, const v1::StopRequest* request, v1::StopResponse* response) override;
  grpc::Status Wait(grpc::ServerContext* context, const v1::WaitRequest* request, v1::WaitResponse* response) override;

 private:
  // Calls `wait` with a deadline not far away, until it answers something but DEADLINE_EXCEEDED or nobody waits for the
  // answer any more.
  absl::Status WaitInSlices(const grpc::ServerContext& context, absl::FunctionRef<absl::Status(absl::Time)> wait) const;

  Sessions& sessions_;
  const Callers& callers_;
  std::atomic<bool> quit_ = false;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CONTROL_SESSIONS_SERVICE_H_
