#include "server/launch/runtime_directory.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/launch/file_lock.h"

namespace guise::server {
namespace {

using ::testing::HasSubstr;

class RuntimeDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/guise-runtime-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    base_ = name;
  }
  void TearDown() override { ASSERT_EQ(system(absl::StrCat("rm -rf '", base_, "'").c_str()), 0); }

  std::string base_;
};

TEST_F(RuntimeDirectoryTest, MakesAPrivateDirectoryOnceAndTakesItAgain) {
  const std::string path = base_ + "/with a space";
  ASSERT_TRUE(RuntimeDirectory::Make(path).ok());
  struct stat st;
  ASSERT_EQ(stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0700u);
  const absl::StatusOr<RuntimeDirectory> again = RuntimeDirectory::Make(path);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->ControlSocket(), path + "/control.sock");
}

TEST_F(RuntimeDirectoryTest, OpenDoesNotMakeIt) {
  const absl::Status status = RuntimeDirectory::Open(base_ + "/none").status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(access((base_ + "/none").c_str(), F_OK), 0);
}

TEST_F(RuntimeDirectoryTest, RefusesAModeThatLetsOthersIn) {
  const std::string path = base_ + "/open";
  ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
  const absl::Status status = RuntimeDirectory::Make(path).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("0755"));
  EXPECT_THAT(status.message(), HasSubstr("chmod 0700"));
}

TEST_F(RuntimeDirectoryTest, RefusesASymbolicLink) {
  ASSERT_EQ(mkdir((base_ + "/real").c_str(), 0700), 0);
  ASSERT_EQ(symlink("real", (base_ + "/link").c_str()), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(RuntimeDirectory::Make(base_ + "/link").status()));
}

TEST_F(RuntimeDirectoryTest, RefusesAnotherUsersDirectory) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make another user's directory";
  const std::string path = base_ + "/theirs";
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  ASSERT_EQ(chown(path.c_str(), 65534, 65534), 0);
  const absl::Status status = RuntimeDirectory::Make(path).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("owned by uid 65534"));
}

TEST_F(RuntimeDirectoryTest, RefusesAPathThatIsTooLongForASocket) {
  // The longest that fits has 107 bytes with the socket's name.
  const std::string name = "/control.sock";
  const std::string fits = base_ + "/" + std::string(107 - name.size() - base_.size() - 1, 'x');
  EXPECT_TRUE(RuntimeDirectory::Make(fits).ok());
  const absl::Status status = RuntimeDirectory::Make(fits + "x").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("108 bytes"));
}

TEST_F(RuntimeDirectoryTest, RefusesARelativePath) {
  EXPECT_TRUE(absl::IsInvalidArgument(RuntimeDirectory::Make("here").status()));
}

TEST_F(RuntimeDirectoryTest, TheDefaultFollowsTheEnvironment) {
  setenv("GUISE_RUNTIME_DIR", "/a/b", 1);
  EXPECT_EQ(RuntimeDirectory::DefaultPath(), "/a/b");
  unsetenv("GUISE_RUNTIME_DIR");
  setenv("XDG_RUNTIME_DIR", base_.c_str(), 1);
  EXPECT_EQ(RuntimeDirectory::DefaultPath(), base_ + "/guise");
  setenv("XDG_RUNTIME_DIR", "/proc/1", 1);  // a directory that su or sudo left behind
  const std::string plain = geteuid() == 0 ? "/run/guise" : absl::StrCat("/tmp/guise-", geteuid());
  if (geteuid() != 0) {
    EXPECT_EQ(RuntimeDirectory::DefaultPath(), plain);
  }
  unsetenv("XDG_RUNTIME_DIR");
  EXPECT_EQ(RuntimeDirectory::DefaultPath(), plain);
}

using FileLockTest = RuntimeDirectoryTest;

TEST_F(FileLockTest, TellsWhoHoldsItAndLetsGoWithTheHolder) {
  const std::string path = base_ + "/lock";
  EXPECT_EQ(FileLock::Holder(path), 0);
  int ready[2];
  int leave[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(leave), 0);
  const pid_t child = fork();
  if (child == 0) {
    const absl::StatusOr<FileLock> lock = FileLock::TryTake(path);
    char byte = lock.ok() ? 'y' : 'n';
    if (write(ready[1], &byte, 1) != 1) _exit(2);
    close(leave[1]);
    _exit(read(leave[0], &byte, 1) == 0 ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  EXPECT_EQ(FileLock::Holder(path), child);
  EXPECT_TRUE(absl::IsAlreadyExists(FileLock::TryTake(path).status()));
  close(leave[1]);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(FileLock::Holder(path), 0);
  const absl::StatusOr<FileLock> lock = FileLock::TryTake(path);
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_EQ(FileLock::Holder(path), getpid());
}

}  // namespace
}  // namespace guise::server
