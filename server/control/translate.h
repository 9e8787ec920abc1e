// Between the control plane's messages and the server's own types; nothing else is decided here.
#ifndef GUISE_SERVER_CONTROL_TRANSLATE_H_
#define GUISE_SERVER_CONTROL_TRANSLATE_H_

#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "proto/control/v1/sessions.pb.h"
#include "server/session/sessions.h"

namespace guise::server {

// The codes of both have the same numbers.
grpc::Status ToGrpc(const absl::Status& status);

v1::Session ToMessage(const SessionInfo& info);

// For wire::Published::rewrite_after. INVALID_ARGUMENT: a mechanism that this server does not know.
absl::StatusOr<uint32_t> RewriteAfter(const v1::CreateSessionRequest& request);

// INVALID_ARGUMENT: a kernel that this server does not know, which may be one that answers less.
absl::StatusOr<bool> IsGeneric(v1::Kernel kernel);

// As reply memory holds them (docs/WIRE.md). INVALID_ARGUMENT: a path that cannot be, or no room.
absl::StatusOr<std::string> ToTextRules(const google::protobuf::RepeatedPtrField<v1::ProgramRule>& programs);

std::vector<std::string> ToLayers(const v1::Stack& stack);

// INVALID_ARGUMENT: a placement that this server does not know.
absl::StatusOr<std::vector<Override>> ToOverrides(
    const google::protobuf::RepeatedPtrField<v1::PlacementOverride>& overrides);

}  // namespace guise::server

#endif  // GUISE_SERVER_CONTROL_TRANSLATE_H_
