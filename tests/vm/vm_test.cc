// Debian 12's own kernel, 6.1, on a CPU without xsave, rdpid and FSGSBASE, and on one with everything: other tests, run
// inside a virtual machine.
#include <gtest/gtest.h>
#include <stdlib.h>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

constexpr char kPatienceSeconds[] = "3000";

struct Inner {
  std::string name;
  std::string test;
  std::string filter;
};

struct Case {
  std::string cpu;  // qemu's name of a model
  Inner inner;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.inner.name << " on " << c.cpu; }

std::vector<Case> Cases() {
  const std::vector<Inner> inners = {
      {"natively", "tests/guests/guests_test", "*_dynamic_native_user"},
      {"guests", "tests/guests/guests_test", "*_dynamic_fakeroot_user:*_static_linux_at_server_user"},
      {"fakeroot", "tests/fakeroot/fakeroot_test", "*Shows*:*OrFakeroot*:*Keeps*"},
      {"legacy", "tests/legacy/legacy_test", "*"},
      {"sandbox", "tests/sandbox/sandbox_test", "-*NativeTest*:*BubblewrapTest*"},
      {"without_sandbox", "tests/sandbox/sandbox_test", "*NativeTest*"},
      {"switching", "tests/switching/switching_test", "*"},
  };
  std::vector<Case> cases;
  for (const char* cpu : {"qemu64", "max"}) {
    for (const Inner& inner : inners) cases.push_back({cpu, inner});
  }
  return cases;
}

Command Machine(const std::vector<std::string>& words) {
  Command command;
  command.argv = {Runfile("tests/vm/run"), "--no-install"};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.env = BaseEnvironment("/tmp");
  command.patience_seconds = atoi(kPatienceSeconds) + 60;
  return command;
}

class VmTest : public testing::TestWithParam<Case> {};

TEST_P(VmTest, PassesOnDebiansOwnKernel) {
  const RunResult check = RunToEnd(Machine({"--check"}));
  if (!check.ok()) GTEST_SKIP() << check.err;
  const RunResult version = RunToEnd(Machine({"--cpu", GetParam().cpu, "--", "uname", "-r"}));
  ASSERT_EQ(version.out.rfind("6.1.", 0), 0u) << version;

  std::vector<std::string> words = {"--cpu", GetParam().cpu, "--timeout", kPatienceSeconds};
  for (const char* name : {"TEST_SRCDIR", "TEST_WORKSPACE"}) {
    const char* value = getenv(name);
    if (value != nullptr) words.insert(words.end(), {"--env", std::string(name) + "=" + value});
  }
  words.insert(words.end(), {"--env", "GUISE_TEST_PATIENCE_FACTOR=10", "--env", "GUISE_TEST_ROUND_TRIPS=4"});
  words.insert(words.end(), {"--", Runfile(GetParam().inner.test), "--gtest_filter=" + GetParam().inner.filter});
  const RunResult result = RunToEnd(Machine(words));
  EXPECT_EQ(result.exit_code, 0) << result;
}

INSTANTIATE_TEST_SUITE_P(All, VmTest, testing::ValuesIn(Cases()), [](const testing::TestParamInfo<Case>& info) {
  return info.param.inner.name + "_" + info.param.cpu;
});

}  // namespace
}  // namespace guise::tests
