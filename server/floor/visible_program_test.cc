#include "server/floor/visible_program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/floor/policy_test.h"

namespace guise::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class VisibleProgramTest : public PolicyTest {
 protected:
  // What is said of the program; empty: it is visible.
  std::string Hidden(const std::string& text, const std::string& program) const {
    const absl::StatusOr<v1::SandboxPolicy> policy = Complete(text);
    EXPECT_TRUE(policy.ok()) << policy.status();
    return policy.ok() ? std::string(CheckVisible(*policy, program).message()) : "";
  }
};

TEST_F(VisibleProgramTest, ARuleThatHidesTheProgramIsNamedWithItsLine) {
  const std::string program = Make("program", "");
  const std::string rule = absl::StrCat("\npaths { path: '", program, "' access: ACCESS_HIDDEN }");
  EXPECT_EQ(Hidden("preset: 'readonly'" + rule, program),
            absl::StrCat("policy q, line 2: the policy hides the program itself, ", program, ", by --hide ", program,
                         "; add --ro ", program, " behind that, or leave it out"));
  EXPECT_EQ(Hidden("preset: 'readonly'", "/usr/bin/env"), "");
}

TEST_F(VisibleProgramTest, WhatInterpretsTheProgramIsNotHiddenEither) {
  EXPECT_THAT(Hidden("paths { path: '/lib64' access: ACCESS_HIDDEN }", "/usr/bin/env"),
              AllOf(StartsWith("policy q, line 1: the policy hides what /usr/bin/env is interpreted by, "
                               "/lib64/ld-linux-x86-64.so.2, "),
                    HasSubstr("by --hide /"), HasSubstr("leave that out")));
  const std::string home = absl::StrCat("\npaths { path: '", directory_, "' access: ACCESS_READ_ONLY }");
  const std::string interpreter = Make("interpreter", "#!/bin/sh\n");
  const std::string script = Make("script", absl::StrCat("#! ", interpreter, " -x\n"));
  EXPECT_EQ(Hidden(home, script), "");
  EXPECT_THAT(Hidden(absl::StrCat(home, "\npaths { path: '", interpreter, "' access: ACCESS_HIDDEN }"), script),
              StartsWith(absl::StrCat("policy q, line 3: the policy hides what ", script, " is interpreted by, ",
                                      interpreter, ", by --hide ", interpreter)));
  EXPECT_THAT(Hidden(home + "\npaths { path: '/bin/sh' access: ACCESS_HIDDEN }", script),
              StartsWith("policy q, line 3: the policy hides what "));
}

TEST_F(VisibleProgramTest, ALinkOnTheWayToTheProgramIsNotHidden) {
  ASSERT_EQ(mkdir((directory_ + "/links").c_str(), 0755), 0);
  ASSERT_EQ(symlink("/usr/bin/env", (directory_ + "/links/env").c_str()), 0);
  ASSERT_EQ(symlink("links/../links", (directory_ + "/way").c_str()), 0);
  const std::string home = absl::StrCat("paths { path: '", directory_, "' access: ACCESS_READ_ONLY }");
  const std::string hide = absl::StrCat("\npaths { path: '", directory_, "/links' access: ACCESS_HIDDEN }");
  EXPECT_EQ(Hidden(home, directory_ + "/way/env"), "");
  EXPECT_THAT(Hidden(home + hide, directory_ + "/way/env"),
              AllOf(StartsWith("policy q, line 2: the policy hides the program itself, "),
                    HasSubstr(absl::StrCat("with the link ", directory_, "/links/env, by --hide ", directory_))));
}

}  // namespace
}  // namespace guise::server
