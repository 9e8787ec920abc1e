#include "server/cli/client.h"

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>

#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/launch/inside_session.h"
#include "server/launch/server_start.h"
#include "server/launch/surroundings.h"

namespace guise::server {

Client::Client(RuntimeDirectory directory, int connection) : directory_(std::move(directory)) {
  fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) | O_NONBLOCK);
  const std::shared_ptr<grpc::Channel> channel = grpc::CreateInsecureChannelFromFd("guised", connection);
  sessions_ = v1::Sessions::NewStub(channel);
  server_ = v1::Server::NewStub(channel);
}

absl::StatusOr<Client> Client::Connect() {
  absl::StatusOr<Client> client = ConnectFromOutside();
  // A guest that believes to be another user looks for that one's server, which says nothing.
  if (!client.ok() && !CheckNotAGuest().ok()) {
    return InsideSessionError("this process");
  }
  return client;
}

absl::StatusOr<Client> Client::ConnectFromOutside() {
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
  return Client(*std::move(directory), connection->release());
}

absl::StatusOr<Client> Client::ConnectOrStart(const SignalState& signals, int idle_exit) {
  absl::StatusOr<RuntimeDirectory> directory = RuntimeDirectory::Make(RuntimeDirectory::DefaultPath());
  if (!directory.ok()) return directory.status();
  absl::StatusOr<OwnedFd> connection = ConnectOrStartServer(*directory, signals, idle_exit);
  if (!connection.ok()) return connection.status();
  return Client(*std::move(directory), connection->release());
}

void Client::CloseBeside(Client client) {
  try {
    std::thread([connection = std::move(client)] {}).detach();
  } catch (const std::system_error&) {  // no thread is to be had: it was closed here
  }
}

absl::Time Client::DeadlineIn(absl::Duration timeout) { return absl::Now() + timeout; }

absl::Status Client::ToAbsl(const grpc::Status& status) {
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  // gRPC's own, of a connection that broke in the middle; what the server says names its object.
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && status.error_message().find(';') == std::string::npos) {
    return absl::Status(code, absl::StrCat("the server has gone while it was asked (", status.error_message(),
                                           "); ask again, `guise run` starts another"));
  }
  if (!status.error_message().empty() || status.ok()) return absl::Status(code, status.error_message());
  return absl::Status(code, absl::StrCat("the server could not be asked (", absl::StatusCodeToString(code),
                                         "); is a name that was given not UTF-8?"));
}

}  // namespace guise::server
