// The services, asked over the control socket as `guise` asks them.
#include "server/control/control_server.h"

#include <fcntl.h>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/control/v1/server.grpc.pb.h"
#include "proto/control/v1/sessions.grpc.pb.h"
#include "server/control/listeners.h"
#include "server/control/temporary_directory.h"
#include "server/launch/unix_address.h"
#include "server/session/testing/served.h"

namespace guise::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ControlServerTest : public ::testing::Test {
 protected:
  ControlServerTest() : served_({}) {
    absl::StatusOr<Listeners> listeners = Listeners::Open(directory_.Open());
    if (!listeners.ok()) abort();
    listeners_ = std::make_unique<Listeners>(*std::move(listeners));
    ServerService::Facts facts;
    facts.runtime_directory = directory_.path();
    facts.reactor = "a reactor";
    facts.personalities = {"linux", "alpha", "beta"};
    facts.shutdown = [this] { shutdown_.Notify(); };
    absl::StatusOr<std::unique_ptr<ControlServer>> control =
        ControlServer::Start(served_.reactor(), served_.sessions(), listeners_->control(), std::move(facts));
    if (!control.ok()) abort();
    control_ = *std::move(control);
  }
  void TearDown() override { End(); }

  void End() {
    if (control_ == nullptr) return;
    absl::Notification closed;
    served_.reactor().Post([&] {
      control_->Close();
      closed.Notify();
    });
    closed.WaitForNotification();
    control_->Drain();
    control_.reset();
  }

  std::shared_ptr<grpc::Channel> Connect() const {
    const sockaddr_un address = *UnixAddress(directory_.Open().ControlSocket());
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) abort();
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return grpc::CreateInsecureChannelFromFd("guised", fd);
  }

  // One streaming call with raw bytes: for services whose messages are not ours. The reply's bytes, or the error's
  // text.
  static std::string Raw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                         const std::string& bytes) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call = stub.PrepareCall(&context, method, &queue);
    const auto next = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    int tag = 0;
    call->StartCall(&tag);
    next();
    const grpc::Slice slice(bytes);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), &tag);
    next();
    grpc::ByteBuffer reply;
    call->Read(&reply, &tag);
    std::string text;
    if (next()) {
      grpc::Slice whole;
      if (reply.DumpToSingleSlice(&whole).ok()) text.assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
    }
    grpc::Status status;
    call->Finish(&status, &tag);
    next();
    return status.ok() ? text : status.error_message();
  }

  TemporaryDirectory directory_;
  testing::Served served_;
  std::unique_ptr<Listeners> listeners_;
  std::unique_ptr<ControlServer> control_;
  absl::Notification shutdown_;
};

TEST_F(ControlServerTest, CreatesListsSwitchesAndStops) {
  const auto stub = v1::Sessions::NewStub(Connect());
  v1::Session session;
  {
    grpc::ClientContext context;
    v1::CreateSessionRequest request;
    request.mutable_stack()->add_layers("alpha");
    request.set_name("mine");
    const grpc::Status status = stub->Create(&context, request, &session);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  EXPECT_EQ(session.id().size(), 8u);
  EXPECT_EQ(session.owner_uid(), geteuid());
  EXPECT_EQ(session.state(), v1::SESSION_STATE_STARTING);
  EXPECT_EQ(session.epoch(), 1u);
  {
    grpc::ClientContext context;
    v1::ListSessionsResponse response;
    ASSERT_TRUE(stub->List(&context, {}, &response).ok());
    ASSERT_EQ(response.sessions_size(), 1);
    EXPECT_EQ(response.sessions(0).name(), "mine");
  }
  {
    grpc::ClientContext context;
    v1::PublishStackRequest request;
    request.set_session("mine");
    request.set_wait(true);
    v1::PublishStackResponse response;
    const grpc::Status status = stub->PublishStack(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.epoch(), 2u);
  }
  {
    grpc::ClientContext context;
    v1::GetSessionRequest request;
    request.set_session(session.id());
    ASSERT_TRUE(stub->Get(&context, request, &session).ok());
    EXPECT_THAT(session.stack().layers(), ElementsAre("linux")) << "no layers is the empty stack";
  }
  {
    grpc::ClientContext context;
    v1::StopRequest request;
    request.set_session("mine");
    v1::StopResponse response;
    ASSERT_TRUE(stub->Stop(&context, request, &response).ok());
    EXPECT_EQ(response.signalled(), 0u);
  }
  EXPECT_EQ(served_.sessions().Living(), 0u);
}

TEST_F(ControlServerTest, APolicyThatCannotBeIsRefused) {
  const std::unique_ptr<v1::Sessions::Stub> stub = v1::Sessions::NewStub(Connect());
  v1::CreateSessionRequest request;
  v1::PathRule* const rule = request.mutable_sandbox()->add_paths();
  rule->set_path("etc");
  rule->set_access(v1::ACCESS_HIDDEN);
  grpc::ClientContext context;
  v1::Session session;
  const grpc::Status status = stub->Create(&context, request, &session);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("\"etc\" is not absolute; begin it with a slash"));
  grpc::ClientContext listing;
  v1::ListSessionsResponse listed;
  ASSERT_TRUE(stub->List(&listing, v1::ListSessionsRequest(), &listed).ok());
  EXPECT_EQ(listed.sessions_size(), 0);
}

TEST_F(ControlServerTest, WhatTheServerDoesNotKnowIsRefused) {
  const std::unique_ptr<v1::Sessions::Stub> stub = v1::Sessions::NewStub(Connect());
  v1::CreateSessionRequest mechanism;
  mechanism.set_mechanism(static_cast<v1::Mechanism>(9));
  v1::CreateSessionRequest kernel;
  kernel.set_kernel(static_cast<v1::Kernel>(9));
  v1::CreateSessionRequest count;
  count.set_rewrite_after(128);
  for (const auto& [request, object] :
       {std::pair(mechanism, "mechanism 9"), std::pair(kernel, "kernel 9"), std::pair(count, "rewrite_after 128")}) {
    grpc::ClientContext context;
    v1::Session session;
    const grpc::Status status = stub->Create(&context, request, &session);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << object;
    EXPECT_THAT(status.error_message(), HasSubstr(object));
  }
  EXPECT_EQ(served_.sessions().Living(), 0u);
}

TEST_F(ControlServerTest, AnUnknownPersonalityIsToldTheKnownOnes) {
  const auto stub = v1::Sessions::NewStub(Connect());
  grpc::ClientContext context;
  v1::CreateSessionRequest request;
  request.mutable_stack()->add_layers("gamma");
  v1::Session session;
  const grpc::Status status = stub->Create(&context, request, &session);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "stack: there is no personality 'gamma'; this server has alpha, beta, cell, linux");
}

TEST_F(ControlServerTest, ACallThatWaitsEndsWithItsDeadlineAndWithTheServer) {
  SessionOptions options;
  options.layers = {"linux"};
  const absl::StatusOr<SessionInfo> session = served_.sessions().Create(options);
  ASSERT_TRUE(session.ok());
  v1::WaitRequest request;
  request.set_session(session->id);
  const auto stub = v1::Sessions::NewStub(Connect());
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
    v1::WaitResponse response;
    EXPECT_EQ(stub->Wait(&context, request, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  grpc::Status status;
  std::thread waiter([&] {
    grpc::ClientContext context;
    v1::WaitResponse response;
    status = stub->Wait(&context, request, &response);
  });
  End();  // returns although a call waits
  waiter.join();
  EXPECT_FALSE(status.ok());
}

TEST_F(ControlServerTest, ShutdownIsRefusedWhileSessionsLiveUnlessForced) {
  SessionOptions options;
  options.layers = {"linux"};
  ASSERT_TRUE(served_.sessions().Create(options).ok());
  const auto stub = v1::Server::NewStub(Connect());
  v1::ShutdownResponse response;
  v1::ShutdownRequest request;
  {
    grpc::ClientContext context;
    const grpc::Status status = stub->Shutdown(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(status.error_message(), HasSubstr("1 living session;"));
    EXPECT_FALSE(shutdown_.HasBeenNotified());
  }
  request.set_force(true);
  grpc::ClientContext context;
  EXPECT_TRUE(stub->Shutdown(&context, request, &response).ok());
  EXPECT_TRUE(shutdown_.HasBeenNotified());
}

TEST_F(ControlServerTest, TellsVersionAndFeatures) {
  const auto stub = v1::Server::NewStub(Connect());
  {
    grpc::ClientContext context;
    v1::Version version;
    ASSERT_TRUE(stub->GetVersion(&context, {}, &version).ok());
    EXPECT_EQ(version.pid(), getpid());
    EXPECT_EQ(version.runtime_directory(), directory_.path());
  }
  grpc::ClientContext context;
  v1::Features features;
  ASSERT_TRUE(stub->GetFeatures(&context, {}, &features).ok());
  EXPECT_EQ(features.reactor(), "a reactor");
  EXPECT_GT(features.workers(), 0u);
  EXPECT_THAT(features.personalities(), ElementsAre("linux", "alpha", "beta"));
}

TEST_F(ControlServerTest, SpeaksTheStandardHealthService) {
  // HealthCheckResponse { status = 1 [SERVING] }
  const std::string serving("\x08\x01", 2);
  const std::string method = "/grpc.health.v1.Health/Check";
  EXPECT_EQ(Raw(Connect(), method, ""), serving);
  // HealthCheckRequest { service = ... }
  EXPECT_EQ(Raw(Connect(), method, "\x0a\x11guise.v1.Sessions"), serving);
  EXPECT_EQ(Raw(Connect(), method, "\x0a\x0fguise.v1.Server"), serving);
  EXPECT_EQ(Raw(Connect(), method, "\x0a\x07guise.x"), "service name unknown");
}

TEST_F(ControlServerTest, SpeaksReflection) {
  // ServerReflectionRequest { list_services = "*" }
  const std::string reply =
      Raw(Connect(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "\x3a\x01*");
  EXPECT_THAT(reply, HasSubstr("guise.v1.Sessions"));
  EXPECT_THAT(reply, HasSubstr("guise.v1.Server"));
}

TEST_F(ControlServerTest, ACallerOfAnotherUserIsRefusedWithTheReason) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can call as somebody else";
  ASSERT_EQ(chmod(directory_.path().c_str(), 0755), 0);
  const std::string path = directory_.path() + "/control.sock";
  ASSERT_EQ(chmod(path.c_str(), 0777), 0);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // gRPC's threads must not be forked. A thread's ids are its own, except to the C library's setresuid(3).
  std::thread([&] {
    EXPECT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    const sockaddr_un address = *UnixAddress(path);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }).join();
  fcntl(fd, F_SETFL, O_NONBLOCK);
  const auto stub = v1::Sessions::NewStub(grpc::CreateInsecureChannelFromFd("guised", fd));
  grpc::ClientContext context;
  v1::ListSessionsResponse response;
  const grpc::Status refused = stub->List(&context, {}, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(refused.error_message(), HasSubstr("the caller is uid 65534"));
}

}  // namespace
}  // namespace guise::server
