// Attempts to get out of `sandboxed`, with the shim and around it, judged by what is seen outside.
#include "tests/sandbox/escape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace guise::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Of a floor without namespaces, `guise policy explain` says as much.
const Suite kWithoutNamespaces = {
    "escapes",
    60,
    4,
    // Capabilities: of the bounding set, which an ordinary user cannot empty and gains nothing by.
    {"ChmodVictim", "TouchVictim", "PipeTaken", "SeeOutside", "ChmodDevice", "TouchDevice", "Capabilities",
     "ControlShared"}};

class EscapeTest : public AttemptTest {
 protected:
  std::vector<std::string> Policy() const { return {"--hide", hidden_}; }

  Outcomes Attempt(const Suite& suite, const std::vector<std::string>& environment,
                   const std::vector<std::string>& options = {}) {
    std::vector<std::string> all = Environment();
    all.insert(all.end(), environment.begin(), environment.end());
    std::vector<std::string> policy = Policy();
    policy.insert(policy.end(), options.begin(), options.end());
    return ExpectHeld(suite, RunToEnd(WithDescriptors(Line(policy, {GuestOf(suite)}, all))));
  }

  Outcomes ExpectHeld(const Suite& suite, const RunResult& result) {
    EXPECT_EQ(result.exit_code, 0) << result;
    Outcomes outcomes = OutcomesOf(result);
    int attempts = 0;
    int controls = 0;
    for (const auto& [name, outcome] : outcomes) {
      const std::string wanted = IsControl(name) ? "out" : "held";
      EXPECT_TRUE(outcome == wanted || suite.allowed.count(name) != 0) << name << " " << outcome;
      (IsControl(name) ? controls : attempts) += 1;
    }
    EXPECT_GE(attempts, suite.attempts) << result;
    EXPECT_EQ(controls, suite.controls);
    EXPECT_EQ(ReadFile(victim_), "victim");
    EXPECT_EQ(ReadFile(secret_), "secret");
    EXPECT_NE(access((hidden_ + "/new").c_str(), F_OK), 0);
    EXPECT_EQ(kill(outside_->pid(), 0), 0);
    return outcomes;
  }

  static void ExpectSame(Outcomes outcomes, const Outcomes& with_shim, const char* how) {
    EXPECT_EQ(outcomes.size(), with_shim.size()) << how;
    for (const auto& [name, outcome] : with_shim) EXPECT_EQ(outcomes[name], outcome) << name << " " << how;
  }

  // With the shim, around it and without it: the same of each attempt.
  void ExpectHeldEqually(const Suite& suite, const std::vector<std::string>& options = {}) {
    std::vector<std::string> without = options;
    without.emplace_back("--no-shim");
    const Outcomes with_shim = Attempt(suite, {}, options);
    ExpectSame(Attempt(suite, {"GADGET=1"}, options), with_shim, "around the shim");
    ExpectSame(Attempt(suite, {}, without), with_shim, "without the shim");
  }
};

INSTANTIATE_TEST_SUITE_P(All, EscapeTest, testing::ValuesIn(Accounts()),
                         [](const testing::TestParamInfo<Account>& info) { return info.param.name; });

TEST_P(EscapeTest, AreHeldWithTheShim) { Attempt(kKnown, {}); }
TEST_P(EscapeTest, AreHeldAroundTheShim) { Attempt(kKnown, {"GADGET=1"}); }
TEST_P(EscapeTest, OfStrangersAreHeldWithTheShim) { Attempt(kStrangers, {}); }
TEST_P(EscapeTest, OfStrangersAreHeldAroundTheShim) { Attempt(kStrangers, {"GADGET=1"}); }

TEST_P(EscapeTest, AreHeldEquallyWithTheShimAroundItAndWithoutIt) {
  for (const Suite* const suite : {&kKnown, &kStrangers}) ExpectHeldEqually(*suite);
}

TEST_P(EscapeTest, AreHeldWithoutNamespacesButForWhatExplainNames) {
  const std::string policy = directory_ + "/policy";
  WriteFile(policy, "floor: FLOOR_LANDLOCK\n", 0644);
  const RunResult explained = RunToEnd(guise_->Cli({"policy", "explain", "--policy", policy}));
  EXPECT_THAT(explained.out, AllOf(HasSubstr("Landlock: it cannot be opened"), HasSubstr("no UTS namespace")));
  const RunResult refused = Run({"--policy", policy}, {"echo", "started"});
  EXPECT_EQ(refused.exit_code, 125);
  EXPECT_THAT(refused.err, HasSubstr("--best-effort"));
  const RunResult run =
      Run({"--policy", policy, "--best-effort"},
          {"sh", "-c", "echo $TMPDIR > $TMPDIR/f && cat $TMPDIR/f; cat < /etc/os-release > /dev/null; exit 7"},
          {"TMPDIR=/tmp"});
  if (run.exit_code == 125 && run.err.find("nor Landlock") != std::string::npos) GTEST_SKIP() << run.err;
  EXPECT_EQ(run.exit_code, 7) << run;
  EXPECT_NE(access(run.out.substr(0, run.out.find('\n')).c_str(), F_OK), 0) << "left behind: " << run.out;
  if (explained.out.find("traced and signalled") == std::string::npos) GTEST_SKIP() << "no scopes of Landlock here";
  ExpectHeldEqually(kWithoutNamespaces, {"--policy", policy, "--best-effort"});
}

TEST_P(EscapeTest, AreHeldForWhatExecStarts) {
  std::vector<std::string> policy = Policy();
  policy.insert(policy.end(), {"--name", "cell"});
  Command holder = Line(policy, {"sh", "-c", "echo ready; cat"});
  holder.keep_stdin_open = true;
  const std::unique_ptr<Process> process = Process::Start(holder);
  ASSERT_TRUE(process->AwaitOutput("ready\n"));
  for (Suite suite : {kKnown, kStrangers}) {
    // What `guise exec` is given as descriptor 0 is not opened again.
    suite.allowed.merge(std::set<std::string>{"InputAttribute", "InputAttributeByLink", "InputAttributeAt"});
    Command command = guise_->Cli({"exec", "cell", "--", GuestOf(suite)});
    command.cwd = directory_;
    for (const std::string& variable : Environment()) command.env.push_back(variable);
    ExpectHeld(suite, RunToEnd(WithDescriptors(command)));
  }
  process->CloseInput();
  process->Wait();
}

}  // namespace
}  // namespace guise::tests
