#include "server/launch/fd_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/layout.h"
#include "server/launch/fake_server.h"

namespace guise::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(FdSocketTest, AKeeperGetsAllMemoriesAndTheServersPidfd) {
  FakeServer server;
  const absl::StatusOr<Attachment> got = AttachToSession(server.path(), wire::FdOp::kAttach, FakeServer::kSession);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(static_cast<bool>(got->request));
  EXPECT_TRUE(static_cast<bool>(got->reply_keeper));
  EXPECT_TRUE(static_cast<bool>(got->store));
  EXPECT_EQ(got->server_pid, server.pid());
  EXPECT_EQ(fcntl(got->reply.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  for (const int fd : {got->request.get(), got->reply.get(), got->connection.get(), got->server.get()}) {
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC) << fd;
  }
  pollfd alive = {got->server.get(), POLLIN, 0};
  EXPECT_EQ(poll(&alive, 1, 0), 0);
  server.Kill();
  EXPECT_EQ(poll(&alive, 1, -1), 1);
}

TEST(FdSocketTest, AGuestGetsTwoMemories) {
  FakeServer server;
  const absl::StatusOr<Attachment> got = AttachToSession(server.path(), wire::FdOp::kGuest, FakeServer::kSession);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(static_cast<bool>(got->reply));
  EXPECT_FALSE(static_cast<bool>(got->reply_keeper));
  EXPECT_FALSE(static_cast<bool>(got->store));
}

TEST(FdSocketTest, SaysThatThereIsNoSuchSession) {
  FakeServer server;
  const absl::Status status = AttachToSession(server.path(), wire::FdOp::kAttach, 7).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("session 00000007"));
}

TEST(FdSocketTest, SaysThatThereIsNoRoomForWhatComes) {
  FakeServer server;
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next = dup(0);
  close(next);
  // The connection, and one fd of several.
  const rlimit low = {static_cast<rlim_t>(next) + 2, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const absl::Status status = AttachToSession(server.path(), wire::FdOp::kAttach, FakeServer::kSession).status();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("Too many open files"), HasSubstr("ulimit -n")));
}

TEST(FdSocketTest, SaysThatThereIsNoServer) {
  FakeServer server;
  const std::string path = server.path();
  server.Kill();
  EXPECT_TRUE(absl::IsUnavailable(AttachToSession(path, wire::FdOp::kAttach, FakeServer::kSession).status()));
  EXPECT_TRUE(absl::IsUnavailable(AttachToSession(path + "x", wire::FdOp::kAttach, FakeServer::kSession).status()));
}

}  // namespace
}  // namespace guise::server
