#include "server/cli/unary_call.h"

#include <fcntl.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "proto/control/v1/server.grpc.pb.h"
#include "proto/control/v1/sessions.grpc.pb.h"
#include "server/cli/header_block.h"
#include "server/cli/methods.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

constexpr absl::Duration kLong = absl::Seconds(60);
constexpr char kWords[] = "100% wrong: \xc3\xa9\nand more";

// gRPC's own server.
class Answering final : public v1::Sessions::Service {
 public:
  grpc::Status Create(grpc::ServerContext*, const v1::CreateSessionRequest* request, v1::Session* response) override {
    response->set_name(request->name());
    return grpc::Status::OK;
  }
  grpc::Status Get(grpc::ServerContext*, const v1::GetSessionRequest*, v1::Session* response) override {
    response->set_name(std::string(kLongestAnswer + 1, 'x'));
    return grpc::Status::OK;
  }
  grpc::Status Stop(grpc::ServerContext*, const v1::StopRequest*, v1::StopResponse*) override {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, kWords);
  }
  grpc::Status Wait(grpc::ServerContext* context, const v1::WaitRequest*, v1::WaitResponse*) override {
    has_deadline = context->deadline() < std::chrono::system_clock::now() + std::chrono::minutes(1);
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  }

  std::atomic<bool> has_deadline = false;
};

struct Pair {
  OwnedFd ours, theirs;

  Pair() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ours = OwnedFd(ends[0]);
    theirs = OwnedFd(ends[1]);
  }
};

class UnaryCallTest : public ::testing::Test {
 protected:
  void SetUp() override {
    grpc::ServerBuilder builder;
    builder.RegisterService(&answering_);
    server_ = builder.BuildAndStart();
  }
  void TearDown() override { server_->Shutdown(std::chrono::system_clock::now()); }

  template <typename Request>
  absl::StatusOr<std::string> Call(const char* path, const Request& request, absl::Duration timeout = kLong) {
    Pair pair;
    fcntl(pair.theirs.get(), F_SETFL, O_NONBLOCK);
    grpc::AddInsecureChannelFromFd(server_.get(), pair.theirs.release());
    return UnaryCall(pair.ours.get(), path, request.SerializeAsString(), timeout);
  }

  Answering answering_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(UnaryCallTest, BringsRequestAndAnswerWhole) {
  // The last is beyond the windows that either side begins with.
  for (const size_t size : {0, 5, 16379, 16380, 70'000, 3'000'000}) {
    v1::CreateSessionRequest request;
    request.set_name(std::string(size, 'n'));
    const absl::StatusOr<std::string> answer = Call(kCreate.path, request);
    ASSERT_TRUE(answer.ok()) << answer.status();
    v1::Session session;
    ASSERT_TRUE(session.ParseFromString(*answer));
    EXPECT_EQ(session.name().size(), size);
  }
}

TEST_F(UnaryCallTest, ErrorsComeInTheServersWords) {
  const absl::Status status = Call(kStop.path, v1::StopRequest()).status();
  EXPECT_EQ(status, absl::FailedPreconditionError(kWords));
  EXPECT_TRUE(absl::IsUnimplemented(Call("/guise.v1.Sessions/None", v1::StopRequest()).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(Call("/guise.v1.Sessions/Get", v1::GetSessionRequest()).status()));
}

TEST_F(UnaryCallTest, BothSidesKeepToTheDeadline) {
  const absl::Status status = Call("/guise.v1.Sessions/Wait", v1::WaitRequest(), absl::Milliseconds(50)).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_TRUE(answering_.has_deadline);
}

TEST(ConnectionTest, AnEndIsUnavailable) {
  Pair pair;
  pair.theirs = OwnedFd(-1);
  EXPECT_TRUE(absl::IsUnavailable(UnaryCall(pair.ours.get(), kList.path, "", kLong).status()));
  Pair silent;
  EXPECT_TRUE(absl::IsDeadlineExceeded(UnaryCall(silent.ours.get(), kList.path, "", absl::Milliseconds(1)).status()));
}

TEST(ConnectionTest, AnyBytesMayCome) {
  std::mt19937 random(7);
  const auto byte = [&] { return static_cast<char>(random()); };
  for (int i = 0; i < 20'000; ++i) {
    Pair pair;
    std::string bytes;
    for (uint32_t frames = random() % 6; frames > 0; --frames) {
      std::string payload(random() % 24, '\0');
      for (char& c : payload) c = byte();
      const std::string header = {0, 0, static_cast<char>(payload.size()), static_cast<char>(random() % 11), byte(), 0,
                                  0, 0, static_cast<char>(random() % 2)};
      bytes += header + payload;
    }
    ASSERT_EQ(send(pair.theirs.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    shutdown(pair.theirs.get(), SHUT_WR);
    EXPECT_FALSE(UnaryCall(pair.ours.get(), kList.path, "", kLong).ok());
  }
}

TEST(HeaderBlockTest, ReadsWhatGrpcWrites) {
  std::string block = "\x20\x88";  // no table; :status 200
  AppendHeader("content-type", "application/grpc", &block);
  AppendHeader("grpc-status", "5", &block);
  AppendHeader("grpc-message", "not %C3%A9 there%2", &block);
  const absl::StatusOr<ResponseHeaders> headers = ReadHeaderBlock(block);
  ASSERT_TRUE(headers.ok()) << headers.status();
  EXPECT_EQ(headers->http_status, 200);
  EXPECT_EQ(headers->grpc_status, 5);
  EXPECT_EQ(headers->grpc_message, "not \xc3\xa9 there%2");
  for (size_t cut = 1; cut + 1 < block.size(); ++cut) {
    (void)ReadHeaderBlock(absl::string_view(block).substr(0, cut));
  }
  EXPECT_EQ(ReadHeaderBlock(std::string("\x48\x03") + "404")->http_status, 404) << "a value for a name of the table";
}

TEST(HeaderBlockTest, RefusesWhatItDidNotAskFor) {
  EXPECT_FALSE(ReadHeaderBlock("\xbe").ok()) << "an entry of a dynamic table";
  EXPECT_FALSE(ReadHeaderBlock("\x80").ok()) << "no entry at all";
  EXPECT_FALSE(ReadHeaderBlock(std::string("\x00\x05", 2) + "grpc").ok()) << "a name beyond the end";
  EXPECT_FALSE(ReadHeaderBlock("\xff\xff\xff\xff\xff\xff").ok()) << "a number without end";
}

template <typename Request, typename Response>
void ExpectDeclared(const Method<Request, Response>& method) {
  const std::vector<std::string> parts = absl::StrSplit(method.path, '/');
  ASSERT_EQ(parts.size(), 3u) << method.path;
  const google::protobuf::MethodDescriptor* const declared =
      google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(absl::StrCat(parts[1], ".", parts[2]));
  ASSERT_NE(declared, nullptr) << method.path;
  EXPECT_EQ(declared->input_type(), Request::descriptor()) << method.path;
  EXPECT_EQ(declared->output_type(), Response::descriptor()) << method.path;
  EXPECT_FALSE(declared->client_streaming() || declared->server_streaming()) << method.path;
}

TEST(MethodsTest, AreDeclaredAsTheyAreCalled) {
  ExpectDeclared(kGetVersion);
  ExpectDeclared(kGetFeatures);
  ExpectDeclared(kShutdown);
  ExpectDeclared(kCreate);
  ExpectDeclared(kList);
  ExpectDeclared(kPublishStack);
  ExpectDeclared(kPlace);
  ExpectDeclared(kExecInto);
  ExpectDeclared(kStop);
}

}  // namespace
}  // namespace guise::server
