// The same attempts under bubblewrap, with flags that say what a sandbox of Guise does by default: which ones it holds.
// That is for docs/THREAT_MODEL.md; what is wanted of it is only that it lets the controls through.
#include <gtest/gtest.h>
#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "tests/sandbox/escape.h"

namespace guise::tests {
namespace {

class BubblewrapTest : public AttemptTest {
 protected:
  std::vector<std::string> Flags() const {
    std::vector<std::string> flags = {"bwrap",
                                      "--unshare-all",
                                      "--die-with-parent",
                                      "--new-session",
                                      "--cap-drop",
                                      "ALL",
                                      "--ro-bind",
                                      "/",
                                      "/",
                                      "--proc",
                                      "/proc",
                                      "--dev",
                                      "/dev"};
    for (const char* const path : {"/tmp", "/var/tmp", "/run", "/home", "/root"}) {
      if (access(path, F_OK) == 0) flags.insert(flags.end(), {"--tmpfs", path});
    }
    flags.insert(flags.end(), {"--ro-bind", directory_, directory_, "--perms", "0000", "--tmpfs", hidden_});
    flags.insert(flags.end(), {"--chdir", directory_, "--"});
    return flags;
  }

  RunResult Confined(const std::vector<std::string>& argv) const {
    std::vector<std::string> words = Flags();
    words.insert(words.end(), argv.begin(), argv.end());
    Command command = guise_->In(NativeWay(), words);
    command.cwd = directory_;
    for (const std::string& variable : Environment()) command.env.push_back(variable);
    return RunToEnd(Apart(WithDescriptors(command), {}));
  }

  void Compare(const Suite& suite) const {
    std::vector<std::string> out;
    int attempts = 0;
    for (const auto& [name, needs] : Needs(suite)) {
      MakeFiles();
      const RunResult result = Confined({GuestOf(suite), name});
      const Outcomes outcomes = OutcomesOf(result);
      const auto found = outcomes.find(name);
      ASSERT_NE(found, outcomes.end()) << name << result;
      if (IsControl(name)) {
        EXPECT_EQ(found->second, "out") << name << result;
        continue;
      }
      ++attempts;
      if (found->second == "out") out.push_back(name);
    }
    EXPECT_GE(attempts, suite.attempts);
    std::cout << "| " << suite.guest << " | " << GetParam().name << " | " << attempts << " | " << out.size() << " |";
    for (const std::string& name : out) std::cout << (name == out[0] ? " " : ", ") << name;
    std::cout << " |\n";
  }
};

INSTANTIATE_TEST_SUITE_P(All, BubblewrapTest, testing::ValuesIn(Accounts()),
                         [](const testing::TestParamInfo<Account>& info) { return info.param.name; });

TEST_P(BubblewrapTest, LetsControlsThrough) {
  const RunResult version = RunToEnd(guise_->In(NativeWay(), {"bwrap", "--version"}));
  if (version.exit_code != 0) GTEST_SKIP() << "no bubblewrap here: " << version.err;
  const RunResult probe = Confined({"true"});
  if (probe.err.find("new namespace") != std::string::npos) GTEST_SKIP() << probe.err;
  ASSERT_EQ(probe.exit_code, 0) << probe;
  std::cout << version.out;
  std::cout << "| suite | as | attempts | succeed under bubblewrap | which |\n";
  for (const Suite* const suite : {&kKnown, &kStrangers}) Compare(*suite);
}

}  // namespace
}  // namespace guise::tests
