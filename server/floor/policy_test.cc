#include "server/floor/policy.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace guise::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class PolicyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/var/tmp/guise-policy-XXXXXX";
    if (mkdtemp(name) == nullptr) abort();
    directory_ = name;
    surroundings_ = {"/root", "/usr/bin", Make("runtime", ""), true};
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Make(const std::string& name, const std::string& text) const {
    std::string path = absl::StrCat(directory_, "/", name);
    std::ofstream(path) << text;
    chmod(path.c_str(), 0755);
    return path;
  }

  absl::StatusOr<v1::SandboxPolicy> Complete(const std::string& text) const {
    const absl::StatusOr<WrittenPolicy> written = ParsePolicy(text, "policy q");
    if (!written.ok()) return written.status();
    return CompletePolicy(written->policy, surroundings_, written->origin);
  }
  std::string Error(const std::string& text) const {
    const absl::Status status = Complete(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text << status;
    return std::string(status.message());
  }
  std::string Hidden(const std::string& text, const std::string& program) const {
    const absl::StatusOr<v1::SandboxPolicy> policy = Complete(text);
    EXPECT_TRUE(policy.ok()) << policy.status();
    return policy.ok() ? std::string(CheckVisible(*policy, program).message()) : "";
  }

  std::string directory_;
  PolicySurroundings surroundings_;
};

TEST_F(PolicyTest, NamesTheLineOfWhatIsWrong) {
  EXPECT_THAT(Error("preset: 'default'\nhostname: 'a b'"),
              StartsWith("policy q, line 2: hostname \"a b\": at most 64"));
  EXPECT_THAT(Error("{\"preset\": \"default\",\n\"hostname\": \"a b\"}"), StartsWith("policy q, line 2: hostname"));
  EXPECT_THAT(Error("\npreset: 'loose'"), StartsWith("policy q, line 2: there is no preset \"loose\"; presets are"));
  EXPECT_THAT(Error("\n\nprocesses: 2000000"), StartsWith("policy q, line 3: 2000000 processes: at most 1048576"));
  EXPECT_THAT(Error("\nprocesses: 1"), StartsWith("policy q, line 2: 1 process: guise-init is one"));
  EXPECT_THAT(Error("{\n\"network\": 9}"), StartsWith("policy q, line 2: unknown network; say none"));
  EXPECT_THAT(Error("{\n\"floor\": 9}"), StartsWith("policy q, line 2: unknown floor; say FLOOR_NAMESPACES"));
  const std::string etc = "paths { path: '/etc' access: ACCESS_READ_ONLY }\n";
  EXPECT_THAT(
      Error(etc + "paths { path: '/none' access: ACCESS_HIDDEN }"),
      StartsWith("policy q, line 2: path \"/none\": No such file or directory; rules name what is there: make"));
  EXPECT_THAT(Error(etc + "paths { path: 'etc' access: ACCESS_HIDDEN }"),
              StartsWith("policy q, line 2: path \"etc\" is not absolute; begin"));
  EXPECT_THAT(Error(etc + "paths { path: '/etc' }"), StartsWith("policy q, line 2: path \"/etc\" has no access; say"));
  EXPECT_THAT(Error(etc + "paths { path: '/sys' access: ACCESS_READ_WRITE }"), StartsWith("policy q, line 2: path"));
  EXPECT_THAT(Error(etc + "paths { path: '/dev' access: ACCESS_READ_WRITE }"), StartsWith("policy q, line 2: path"));
  EXPECT_THAT(Error(etc + "paths { path: '/' access: ACCESS_HIDDEN }"), StartsWith("policy q, line 2: path"));
  EXPECT_THAT(Error(etc + "paths { path: '/etc/passwd' access: ACCESS_TEMPORARY }"),
              StartsWith("policy q, line 2: path \"/etc/passwd\" is no directory; tmp"));
}

TEST_F(PolicyTest, WhatAFlagSaysHasNoLine) {
  absl::StatusOr<WrittenPolicy> written = ParsePolicy("hostname: 'a'", "policy q");
  ASSERT_TRUE(written.ok());
  written->policy.set_hostname("a b");
  written->origin.lines.Forget("hostname");
  const absl::Status status = CompletePolicy(written->policy, surroundings_, written->origin).status();
  EXPECT_THAT(std::string(status.message()), StartsWith("hostname \"a b\""));
}

TEST_F(PolicyTest, ARuleThatHidesTheProgramIsNamedWithItsLine) {
  const std::string program = Make("program", "");
  const std::string rule = absl::StrCat("\npaths { path: '", program, "' access: ACCESS_HIDDEN }");
  EXPECT_EQ(Hidden("preset: 'readonly'" + rule, program),
            absl::StrCat("policy q, line 2: the policy hides the program itself, ", program, ", by --hide ", program,
                         "; add --ro ", program, " behind that, or leave it out"));
  EXPECT_EQ(Hidden("preset: 'readonly'", "/usr/bin/env"), "");
}

TEST_F(PolicyTest, WhatInterpretsTheProgramIsNotHiddenEither) {
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

TEST_F(PolicyTest, ALinkOnTheWayToTheProgramIsNotHidden) {
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

TEST_F(PolicyTest, AWorkingDirectoryThatCannotBeMadeWritableIsRefused) {
  for (const char* const here : {"/", "/proc/self", "/sys", "/dev/shm"}) {
    surroundings_.working_directory = here;
    EXPECT_THAT(Error("\npreset: 'build'"),
                AllOf(StartsWith(absl::StrCat(
                          "policy q, line 2: preset \"build\" makes the working directory writable, which is ", here)),
                      HasSubstr("--rw PATH")));
    EXPECT_TRUE(Complete("preset: 'strict'").ok());
  }
}

TEST_F(PolicyTest, ValuesThatNoPolicyCanHaveAreRefusedOnAnyHost) {
  v1::SandboxPolicy policy;
  EXPECT_TRUE(CheckValues(policy).ok());
  policy.add_paths()->set_path("/not/on/this/host");
  EXPECT_THAT(CheckValues(policy).message(), HasSubstr("has no access"));
  policy.mutable_paths(0)->set_access(v1::ACCESS_READ_ONLY);
  EXPECT_TRUE(CheckValues(policy).ok());
  for (int i = 0; i < 256; ++i) *policy.add_paths() = policy.paths(0);
  EXPECT_THAT(CheckValues(policy).message(), HasSubstr("257 rules of paths; at most 256"));
}

TEST_F(PolicyTest, ALimitOfProcessesIsAskedForByNumberOrByAPresetForLimits) {
  v1::SandboxPolicy policy;
  EXPECT_FALSE(AsksForProcesses(policy));
  policy.set_preset("build");
  EXPECT_FALSE(AsksForProcesses(policy));
  policy.set_preset("strict");
  EXPECT_TRUE(AsksForProcesses(policy));
  policy.set_preset("default");
  policy.set_processes(4096);
  EXPECT_TRUE(AsksForProcesses(policy));
}

}  // namespace
}  // namespace guise::server
