#include "server/control/server_service.h"

#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "proto/wire/version.h"
#include "server/control/translate.h"
#include "server/version.h"

namespace guise::server {

ServerService::ServerService(Sessions& sessions, Facts facts)
    : sessions_(sessions), facts_(std::move(facts)), started_unix_nanos_(absl::ToUnixNanos(absl::Now())) {}

grpc::Status ServerService::GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*, v1::Version* response) {
  response->set_version(kVersion);
  response->set_abi_min(wire::kAbiMin);
  response->set_abi_max(wire::kAbiMax);
  response->set_pid(getpid());
  response->set_runtime_directory(facts_.runtime_directory);
  response->set_started_unix_nanos(started_unix_nanos_);
  return grpc::Status::OK;
}

grpc::Status ServerService::GetFeatures(grpc::ServerContext*, const v1::GetFeaturesRequest*, v1::Features* response) {
  response->set_reactor(facts_.reactor);
  response->set_waiting(std::string(sessions_.Waiting()));
  response->set_workers(static_cast<uint32_t>(sessions_.Workers()));
  for (const std::string& name : facts_.personalities) response->add_personalities(name);
  response->set_feature_bits(facts_.feature_bits);
  return grpc::Status::OK;
}

grpc::Status ServerService::Shutdown(grpc::ServerContext*, const v1::ShutdownRequest* request, v1::ShutdownResponse*) {
  if (!request->force()) {
    sessions_.Settle();
    if (const size_t living = sessions_.Living(); living != 0) {
      return ToGrpc(absl::FailedPreconditionError(absl::StrCat(
          "the server has ", living, " living session", living == 1 ? "" : "s",
          "; end them with `guise stop`, or end the server all the same with `guise server stop --force`")));
    }
  }
  facts_.shutdown();
  return grpc::Status::OK;
}

}  // namespace guise::server
