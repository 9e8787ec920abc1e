#include "server/launch/program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace guise::server {
namespace {

using ::testing::HasSubstr;

class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/guise-program-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    base_ = name;
    for (const char* directory : {"/one", "/two", "/two/directory"})
      ASSERT_EQ(mkdir((base_ + directory).c_str(), 0755), 0);
    Make("/one/plain", 0644);
    Make("/two/plain", 0755);
    Make("/one/closed", 0600);
    Make("/one/both", 0755);
    Make("/two/both", 0755);
    search_ = absl::StrCat(base_, "/one:", base_, "/none:", base_, "/two");
  }
  void TearDown() override { ASSERT_EQ(system(absl::StrCat("rm -rf '", base_, "'").c_str()), 0); }

  void Make(const std::string& name, mode_t mode) {
    const int fd = open((base_ + name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, mode);
    ASSERT_GE(fd, 0);
    close(fd);
  }

  std::string base_;
  std::string search_;
};

TEST_F(ProgramTest, TakesTheFirstExecutableInThePath) {
  const absl::StatusOr<std::string> both = FindProgram("both", search_);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(*both, base_ + "/one/both");
}

TEST_F(ProgramTest, GoesOnAfterAFileThatCannotBeExecuted) {
  const absl::StatusOr<std::string> plain = FindProgram("plain", search_);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(*plain, base_ + "/two/plain");
}

TEST_F(ProgramTest, RemembersTheRefusalWhenNothingElseIsFound) {
  EXPECT_TRUE(absl::IsPermissionDenied(FindProgram("closed", search_).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(FindProgram("directory", search_).status()));
}

TEST_F(ProgramTest, SaysWhatIsNotFound) {
  const absl::Status status = FindProgram("nothing", search_).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("\"nothing\": not found in PATH"));
  EXPECT_TRUE(absl::IsNotFound(FindProgram("", search_).status()));
}

TEST_F(ProgramTest, ANameWithASlashIsNotSearchedFor) {
  const std::string path = base_ + "/two/plain";
  const absl::StatusOr<std::string> found = FindProgram(path, "");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, path);
  EXPECT_TRUE(absl::IsNotFound(FindProgram(base_ + "/two/none", search_).status()));
  EXPECT_TRUE(absl::IsNotFound(FindProgram(base_ + "/two/plain/below", search_).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(FindProgram(base_ + "/one/plain", search_).status()));
  const absl::Status directory = FindProgram(base_ + "/two/directory", search_).status();
  EXPECT_TRUE(absl::IsPermissionDenied(directory)) << directory;
  EXPECT_THAT(directory.message(), HasSubstr("is a directory"));
}

TEST_F(ProgramTest, AnEmptyElementIsTheWorkingDirectory) {
  ASSERT_EQ(chdir((base_ + "/two").c_str()), 0);
  const absl::StatusOr<std::string> found = FindProgram("both", "/nowhere::/elsewhere");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, "both");
  ASSERT_EQ(chdir("/"), 0);
}

}  // namespace
}  // namespace guise::server
