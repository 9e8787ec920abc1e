// What tests of policies have: a directory, and policies that are completed there.
#ifndef GUISE_SERVER_FLOOR_POLICY_TEST_H_
#define GUISE_SERVER_FLOOR_POLICY_TEST_H_

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/floor/policy.h"
#include "server/floor/policy_completion.h"

namespace guise::server {

class PolicyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/var/tmp/guise-policy-XXXXXX";
    if (mkdtemp(name) == nullptr) abort();
    directory_ = name;
    surroundings_ = {"/root", "/usr/bin", Make("runtime", ""), true};
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // A file that can be executed; its path.
  std::string Make(const std::string& name, const std::string& text) const {
    std::string path = absl::StrCat(directory_, "/", name);
    std::ofstream(path) << text;
    chmod(path.c_str(), 0755);
    return path;
  }

  // Of the text form.
  absl::StatusOr<v1::SandboxPolicy> Complete(const std::string& text) const {
    const absl::StatusOr<WrittenPolicy> written = ParsePolicy(text, "policy q");
    if (!written.ok()) return written.status();
    return CompletePolicy(written->policy, surroundings_, written->origin);
  }
  // Why it cannot be completed.
  std::string Error(const std::string& text) const {
    const absl::Status status = Complete(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text << status;
    return std::string(status.message());
  }

  std::string directory_;
  PolicySurroundings surroundings_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_POLICY_TEST_H_
