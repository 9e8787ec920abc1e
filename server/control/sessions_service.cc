#include "server/control/sessions_service.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "server/control/log.h"
#include "server/control/translate.h"
#include "server/floor/policy.h"

namespace guise::server {
namespace {

constexpr absl::Duration kSlice = absl::Milliseconds(250);
constexpr uint32_t kDefaultGraceMillis = 2000;

}  // namespace

absl::Status SessionsService::WaitInSlices(const grpc::ServerContext& context,
                                           absl::FunctionRef<absl::Status(absl::Time)> wait) const {
  const absl::Time deadline = absl::FromChrono(context.deadline());
  for (;;) {
    const absl::Time slice = std::min(absl::Now() + kSlice, deadline);
    absl::Status status = wait(slice);
    if (!absl::IsDeadlineExceeded(status)) return status;
    if (context.IsCancelled()) return absl::CancelledError("the caller has gone");
    if (quit_.load()) return absl::UnavailableError("the server ends");
    if (slice == deadline) return status;
  }
}

grpc::Status SessionsService::Create(grpc::ServerContext* context, const v1::CreateSessionRequest* request,
                                     v1::Session* response) {
  const absl::StatusOr<Caller> caller = callers_.Find(context->peer());
  if (!caller.ok()) return ToGrpc(caller.status());
  SessionOptions options;
  options.layers = ToLayers(request->stack());
  if (options.layers.empty()) options.layers = {"linux"};
  options.name = request->name();
  options.owner_uid = caller->uid;
  options.owner_gid = caller->gid;
  absl::StatusOr<std::vector<Override>> overrides = ToOverrides(request->overrides());
  if (!overrides.ok()) return ToGrpc(overrides.status());
  options.overrides = *std::move(overrides);
  options.exact_guest_seccomp = request->exact_guest_seccomp();
  options.refuse_unshimmed = request->refuse_unshimmed();
  const absl::StatusOr<uint32_t> rewrite_after = RewriteAfter(*request);
  if (!rewrite_after.ok()) return ToGrpc(rewrite_after.status());
  options.rewrite_after = *rewrite_after;
  absl::StatusOr<std::string> text_rules = ToTextRules(request->programs());
  if (!text_rules.ok()) return ToGrpc(text_rules.status());
  options.text_rules = *std::move(text_rules);
  const absl::StatusOr<bool> is_generic = IsGeneric(request->kernel());
  if (!is_generic.ok()) return ToGrpc(is_generic.status());
  options.generic_kernel = *is_generic;
  if (request->has_sandbox()) {
    if (absl::Status status = CheckValues(request->sandbox()); !status.ok()) return ToGrpc(status);
    options.sandbox = request->sandbox();
  }
  const absl::StatusOr<SessionInfo> session = sessions_.Create(options);
  if (!session.ok()) return ToGrpc(session.status());
  Log(absl::StrCat("session ", session->id, " created for uid ", caller->uid, ": ",
                   absl::StrJoin(options.layers, ",")));
  *response = ToMessage(*session);
  return grpc::Status::OK;
}

grpc::Status SessionsService::List(grpc::ServerContext*, const v1::ListSessionsRequest*,
                                   v1::ListSessionsResponse* response) {
  for (const SessionInfo& session : sessions_.List()) *response->add_sessions() = ToMessage(session);
  return grpc::Status::OK;
}

grpc::Status SessionsService::Get(grpc::ServerContext*, const v1::GetSessionRequest* request, v1::Session* response) {
  const absl::StatusOr<SessionInfo> session = sessions_.Get(request->session());
  if (!session.ok()) return ToGrpc(session.status());
  *response = ToMessage(*session);
  return grpc::Status::OK;
}

grpc::Status SessionsService::PublishStack(grpc::ServerContext* context, const v1::PublishStackRequest* request,
                                           v1::PublishStackResponse* response) {
  std::vector<std::string> layers = ToLayers(request->stack());
  if (layers.empty()) layers = {"linux"};
  const absl::StatusOr<uint32_t> epoch = sessions_.PublishStack(request->session(), layers);
  if (!epoch.ok()) return ToGrpc(epoch.status());
  Log(absl::StrCat("session ", request->session(), " epoch ", *epoch, ": ", absl::StrJoin(layers, ",")));
  response->set_epoch(*epoch);
  if (!request->wait()) return grpc::Status::OK;
  return ToGrpc(WaitInSlices(
      *context, [&](absl::Time until) { return sessions_.Drain(request->session(), *epoch, until).status(); }));
}

grpc::Status SessionsService::Place(grpc::ServerContext*, const v1::PlaceRequest* request,
                                    v1::PlaceResponse* response) {
  const absl::StatusOr<std::vector<Override>> overrides = ToOverrides(request->overrides());
  if (!overrides.ok()) return ToGrpc(overrides.status());
  const absl::StatusOr<uint32_t> epoch = sessions_.Place(request->session(), *overrides);
  if (!epoch.ok()) return ToGrpc(epoch.status());
  response->set_epoch(*epoch);
  return grpc::Status::OK;
}

grpc::Status SessionsService::Drain(grpc::ServerContext* context, const v1::DrainRequest* request,
                                    v1::DrainResponse* response) {
  return ToGrpc(WaitInSlices(*context, [&](absl::Time until) {
    const absl::StatusOr<uint32_t> epoch = sessions_.Drain(request->session(), request->epoch(), until);
    if (epoch.ok()) response->set_epoch(*epoch);
    return epoch.status();
  }));
}

grpc::Status SessionsService::ExecInto(grpc::ServerContext*, const v1::ExecIntoRequest* request,
                                       v1::ExecIntoResponse* response) {
  const absl::StatusOr<SessionInfo> session = sessions_.ExecInto(request->session());
  if (!session.ok()) return ToGrpc(session.status());
  response->set_session(session->id);
  response->set_kernel(ToMessage(*session).kernel());
  if (!session->sandbox.has_value()) return grpc::Status::OK;
  *response->mutable_sandbox() = *session->sandbox;
  response->set_keeper(session->keeper);
  for (const GuestInfo& guest : session->guests) response->add_guests(guest.pid);
  return grpc::Status::OK;
}

grpc::Status SessionsService::Stop(grpc::ServerContext*, const v1::StopRequest* request, v1::StopResponse* response) {
  const int signal = request->signal() == 0 ? SIGTERM : request->signal();
  if (signal < 1 || signal > SIGRTMAX) {
    return ToGrpc(absl::InvalidArgumentError(absl::StrCat("signal ", signal, ": there is no such signal")));
  }
  const uint32_t grace = request->grace_millis() == 0 ? kDefaultGraceMillis : request->grace_millis();
  const absl::StatusOr<uint32_t> signalled = sessions_.Stop(request->session(), signal, absl::Milliseconds(grace));
  if (!signalled.ok()) return ToGrpc(signalled.status());
  Log(absl::StrCat("session ", request->session(), " stopped; ", *signalled, " guests were signalled"));
  response->set_signalled(*signalled);
  return grpc::Status::OK;
}

grpc::Status SessionsService::Wait(grpc::ServerContext* context, const v1::WaitRequest* request, v1::WaitResponse*) {
  return ToGrpc(WaitInSlices(*context, [&](absl::Time until) { return sessions_.Wait(request->session(), until); }));
}

}  // namespace guise::server
