#include "server/control/control_server.h"

#include <errno.h>
#include <fcntl.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/control/log.h"
#include "server/control/translate.h"
#include "server/guest/process.h"
#include "server/launch/errno_status.h"
#include "server/launch/inside_session.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

// Calls in progress have so long to end by themselves before they are cancelled.
constexpr std::chrono::milliseconds kLastWords(500);

constexpr absl::Duration kPause = absl::Milliseconds(200);

}  // namespace

// Answers every call of every service with one status a caller. Thread-safe.
class ControlServer::Refusal final : public grpc::CallbackGenericService {
 public:
  void Note(int fd, absl::Status reason) {
    absl::MutexLock lock(&mutex_);
    reasons_[absl::StrCat("fd:", fd)] = std::move(reason);
  }

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    class Answer final : public grpc::ServerGenericBidiReactor {
     public:
      explicit Answer(const grpc::Status& status) { Finish(status); }
      void OnDone() override { delete this; }
    };
    return new Answer(ToGrpc(ReasonFor(context->peer())));
  }

 private:
  absl::Status ReasonFor(const std::string& peer) {
    absl::MutexLock lock(&mutex_);
    const auto found = reasons_.find(peer);
    return found != reasons_.end() ? found->second : absl::PermissionDeniedError("this caller is refused");
  }

  absl::Mutex mutex_;
  std::map<std::string, absl::Status> reasons_ ABSL_GUARDED_BY(mutex_);
};

ControlServer::ControlServer(Reactor& reactor, Sessions& sessions, int listener, ServerService::Facts facts)
    : reactor_(reactor),
      sessions_(sessions),
      listener_(listener),
      sessions_service_(sessions, callers_),
      server_service_(sessions, std::move(facts)),
      refusal_(std::make_unique<Refusal>()) {}

absl::StatusOr<std::unique_ptr<ControlServer>> ControlServer::Start(Reactor& reactor, Sessions& sessions, int listener,
                                                                    ServerService::Facts facts) {
  std::unique_ptr<ControlServer> server(new ControlServer(reactor, sessions, listener, std::move(facts)));
  if (absl::Status status = server->Serve(); !status.ok()) return status;
  reactor.Watch(listener, [raw = server.get()] { raw->Accept(); });
  return server;
}

absl::Status ControlServer::Serve() {
  // Without the health service, which would tell a refused caller that all is well.
  grpc::EnableDefaultHealthCheckService(false);
  grpc::ServerBuilder refusing;
  refusing.RegisterCallbackGenericService(refusal_.get());
  refusing_ = refusing.BuildAndStart();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder serving;
  serving.RegisterService(&sessions_service_);
  serving.RegisterService(&server_service_);
  serving_ = serving.BuildAndStart();
  if (refusing_ == nullptr || serving_ == nullptr) {
    return absl::InternalError("gRPC does not start; its own words are above");
  }
  // By itself it knows the server alone, and nothing of a service's name.
  for (const char* const service : {v1::Sessions::service_full_name(), v1::Server::service_full_name()}) {
    serving_->GetHealthCheckService()->SetServingStatus(service, true);
  }
  return absl::OkStatus();
}

absl::Status ControlServer::Judge(const Caller& caller, const Peer& peer) const {
  if (caller.uid != geteuid() && caller.uid != 0) {
    return absl::PermissionDeniedError(absl::StrCat("this server belongs to uid ", geteuid(),
                                                    ", and the caller is uid ", caller.uid,
                                                    "; use a server of your own"));
  }
  // Nobody there can be told from a guest of a sandbox, also of another server's.
  if (IsInNamespaceBelow(caller.pid)) {
    return absl::PermissionDeniedError(absl::StrCat(
        "process ", caller.pid,
        " is in a pid namespace below the server's, as guests of sandboxes are; call `guise` from outside, "
        "or use a server there (GUISE_RUNTIME_DIR)"));
  }
  if (sessions_.IsGuest(caller.pid)) {
    return InsideSessionError(absl::StrCat("process ", caller.pid));
  }
  // What has been looked at was the caller's.
  if (!peer.Lives()) {
    return absl::PermissionDeniedError(
        absl::StrCat("process ", caller.pid, " has connected and gone; who calls has to be there"));
  }
  return absl::OkStatus();
}

// Out of fds or memory: the connection stays in the queue, and the listener readable. So it is left alone for a while.
void ControlServer::Pause(int error) {
  Log(ErrnoStatus(error, "cannot accept a connection").ToString());
  reactor_.Unwatch(listener_);
  pause_ = reactor_.After(kPause, [this] {
    pause_.reset();
    reactor_.Watch(listener_, [this] { Accept(); });
  });
}

void ControlServer::Accept() {
  for (;;) {
    OwnedFd connection(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) Pause(errno);
      return;
    }
    const absl::StatusOr<Caller> caller = CallerOf(connection.get());
    if (!caller.ok()) {
      Log(caller.status().ToString());
      continue;
    }
    const Peer peer(connection.get(), caller->pid);
    const int fd = connection.release();  // gRPC's from here on
    if (absl::Status refused = Judge(*caller, peer); !refused.ok()) {
      Log(absl::StrCat("refused a connection: ", refused.message()));
      refusal_->Note(fd, std::move(refused));
      grpc::AddInsecureChannelFromFd(refusing_.get(), fd);
      continue;
    }
    callers_.Note(fd, *caller);
    grpc::AddInsecureChannelFromFd(serving_.get(), fd);
  }
}

void ControlServer::Close() {
  if (std::exchange(closed_, true)) return;
  if (pause_.has_value()) {
    reactor_.Cancel(*pause_);
  } else {
    reactor_.Unwatch(listener_);
  }
}

void ControlServer::Drain() {
  sessions_service_.Quit();
  const auto deadline = std::chrono::system_clock::now() + kLastWords;
  refusing_->Shutdown(deadline);
  serving_->Shutdown(deadline);
}

ControlServer::~ControlServer() = default;

}  // namespace guise::server
