#include "server/control/listeners.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/control/temporary_directory.h"

namespace guise::server {
namespace {

using ::testing::HasSubstr;

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

TEST(ListenersTest, ASecondServerIsRefusedAndToldWhoServes) {
  const TemporaryDirectory directory;
  absl::StatusOr<Listeners> first = Listeners::Open(directory.Open());
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status second = Listeners::Open(directory.Open()).status();
  EXPECT_TRUE(absl::IsAlreadyExists(second)) << second;
  EXPECT_THAT(second.message(), HasSubstr(absl::StrCat("pid ", getpid())));
  EXPECT_THAT(second.message(), HasSubstr(directory.path()));
  EXPECT_TRUE(Exists(directory.Open().ControlSocket())) << "the refused server took the socket away";
}

TEST(ListenersTest, WhatAKilledServerLeftBehindIsTakenOver) {
  const TemporaryDirectory directory;
  const pid_t child = fork();
  if (child == 0) {
    const absl::StatusOr<Listeners> listeners = Listeners::Open(directory.Open());
    kill(getpid(), listeners.ok() ? SIGKILL : SIGABRT);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
  ASSERT_TRUE(Exists(directory.Open().ControlSocket()));
  const absl::StatusOr<Listeners> next = Listeners::Open(directory.Open());
  EXPECT_TRUE(next.ok()) << next.status();
}

TEST(ListenersTest, TheEndRemovesTheSocketsAndKeepsTheLockFile) {
  const TemporaryDirectory directory;
  { ASSERT_TRUE(Listeners::Open(directory.Open()).ok()); }
  EXPECT_FALSE(Exists(directory.Open().ControlSocket()));
  EXPECT_FALSE(Exists(directory.Open().FdSocket()));
  EXPECT_TRUE(Exists(directory.Open().ServerLock()));
}

}  // namespace
}  // namespace guise::server
