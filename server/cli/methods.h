// The methods of guise.v1 that commands call. Generated stubs would bring gRPC with them.
#ifndef GUISE_SERVER_CLI_METHODS_H_
#define GUISE_SERVER_CLI_METHODS_H_

#include "proto/control/v1/server.pb.h"
#include "proto/control/v1/sessions.pb.h"

namespace guise::server {

template <typename Request, typename Response>
struct Method {
  const char* path;
};

inline constexpr Method<v1::GetVersionRequest, v1::Version> kGetVersion = {"/guise.v1.Server/GetVersion"};
inline constexpr Method<v1::GetFeaturesRequest, v1::Features> kGetFeatures = {"/guise.v1.Server/GetFeatures"};
inline constexpr Method<v1::ShutdownRequest, v1::ShutdownResponse> kShutdown = {"/guise.v1.Server/Shutdown"};
inline constexpr Method<v1::CreateSessionRequest, v1::Session> kCreate = {"/guise.v1.Sessions/Create"};
inline constexpr Method<v1::ListSessionsRequest, v1::ListSessionsResponse> kList = {"/guise.v1.Sessions/List"};
inline constexpr Method<v1::PublishStackRequest, v1::PublishStackResponse> kPublishStack = {
    "/guise.v1.Sessions/PublishStack"};
inline constexpr Method<v1::PlaceRequest, v1::PlaceResponse> kPlace = {"/guise.v1.Sessions/Place"};
inline constexpr Method<v1::ExecIntoRequest, v1::ExecIntoResponse> kExecInto = {"/guise.v1.Sessions/ExecInto"};
inline constexpr Method<v1::StopRequest, v1::StopResponse> kStop = {"/guise.v1.Sessions/Stop"};

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_METHODS_H_
