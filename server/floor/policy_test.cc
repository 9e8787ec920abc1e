#include "server/floor/policy_test.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/floor/policy.h"
#include "server/floor/presets.h"

namespace guise::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

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
  policy.clear_paths();
  v1::PathRule* const rule = policy.add_paths();
  rule->set_path(std::string("/etc\0/passwd", 12));
  rule->set_access(v1::ACCESS_HIDDEN);
  EXPECT_THAT(CheckValues(policy).message(), HasSubstr("path \"/etc\\x00/passwd\" has a NUL byte in it"));
}

TEST_F(PolicyTest, ThePresetsRulesCountAmongThoseThatASandboxCanHave) {
  std::string text;
  for (int i = 0; i < 240; ++i) text += "paths { path: '/etc' access: ACCESS_READ_ONLY }\n";
  EXPECT_TRUE(Complete(text).ok());
  for (int i = 0; i < 16; ++i) text += "paths { path: '/etc' access: ACCESS_READ_ONLY }\n";
  EXPECT_THAT(Error(text), AllOf(StartsWith("policy q: the policy has 256 rules of paths, beside "),
                                 HasSubstr("at most 256 together: name directories")));
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
