#include "tests/support/control.h"

#include <fcntl.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel_posix.h>

#include <chrono>
#include <sstream>

namespace guise::tests {

Control::Control(const Guise& guise) {
  const int connection = guise.Connect();
  if (connection < 0) return;
  fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) | O_NONBLOCK);
  sessions_ = v1::Sessions::NewStub(grpc::CreateInsecureChannelFromFd("guised", connection));
}

std::string Control::Switch(const std::string& session, const std::string& stack, bool wait) {
  if (sessions_ == nullptr) return "no server runs";
  v1::PublishStackRequest request;
  request.set_session(session);
  request.set_wait(wait);
  std::istringstream layers(stack);
  for (std::string layer; std::getline(layers, layer, ',');) request.mutable_stack()->add_layers(layer);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::nanoseconds(PatienceNanos(kPatienceSeconds)));
  v1::PublishStackResponse response;
  const grpc::Status status = sessions_->PublishStack(&context, request, &response);
  if (status.ok()) return "";
  return status.error_message().empty() ? "gRPC error " + std::to_string(status.error_code()) : status.error_message();
}

}  // namespace guise::tests
