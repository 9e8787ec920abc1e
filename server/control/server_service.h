// guise.v1.Server: what is asked of the server itself.
#ifndef GUISE_SERVER_CONTROL_SERVER_SERVICE_H_
#define GUISE_SERVER_CONTROL_SERVER_SERVICE_H_

#include <functional>
#include <string>
#include <vector>

#include "proto/control/v1/server.grpc.pb.h"
#include "server/session/sessions.h"

namespace guise::server {

// Thread-safe.
class ServerService final : public v1::Server::Service {
 public:
  struct Facts {
    std::string runtime_directory;
    std::string reactor;  // Reactor::Kind()
    std::vector<std::string> personalities;
    uint64_t feature_bits = 0;
    std::function<void()> shutdown;  // asks for the end and returns at once
  };

  // REQUIRES: `sessions` outlives this.
  ServerService(Sessions& sessions, Facts facts);

  grpc::Status GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest* request,
                          v1::Version* response) override;
  grpc::Status GetFeatures(grpc::ServerContext* context, const v1::GetFeaturesRequest* request,
                           v1::Features* response) override;
  grpc::Status Shutdown(grpc::ServerContext* context, const v1::ShutdownRequest* request,
                        v1::ShutdownResponse* response) override;

 private:
  Sessions& sessions_;
  const Facts facts_;
  const int64_t started_unix_nanos_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CONTROL_SERVER_SERVICE_H_
