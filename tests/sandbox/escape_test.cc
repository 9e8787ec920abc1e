// Attempts to get out of `sandboxed`, with the shim and around it, judged by what is seen outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/sandbox/outside.h"
#include "tests/sandbox/sandboxed.h"
#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A suite of attempts to get out.
struct Suite {
  const char* guest;
  int attempts;  // at least
  int controls;
  // What docs/THREAT_MODEL.md does not promise.
  std::set<std::string> allowed;
};
const Suite kKnown = {"escapes", 60, 4, {}};
// Of a floor without namespaces, `guise policy explain` says as much.
const Suite kWithoutNamespaces = {
    "escapes",
    60,
    4,
    // Capabilities: of the bounding set, which an ordinary user cannot empty and gains nothing by.
    {"ChmodVictim", "TouchVictim", "SeeOutside", "ChmodDevice", "TouchDevice", "Capabilities", "ControlFiles",
     "ControlShared"}};
const Suite kStrangers = {"strangers", 200, 25, {"InputAttribute", "InputAttributeByLink", "InputAttributeAt"}};

class EscapeTest : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    if (IsSkipped()) return;
    outside_ = std::make_unique<Outside>(*guise_);
    hidden_ = directory_ + "/hidden";
    secret_ = hidden_ + "/secret";
    victim_ = directory_ + "/victim";
    ASSERT_EQ(mkdir(hidden_.c_str(), 0755), 0);
    WriteFile(secret_, "secret", 0644);
    WriteFile(victim_, "victim", 0644);
    for (const std::string& path : {hidden_, secret_, victim_}) {
      ASSERT_EQ(chown(path.c_str(), GetParam().uid, GetParam().gid), 0);
    }
  }

  static std::string GuestOf(const Suite& suite) {
    return Stage::Get().Guest(std::string("tests/sandbox/") + suite.guest + "_static.elf");
  }
  std::vector<std::string> Environment() const {
    return {"SECRET=" + secret_, "HIDDEN=" + hidden_, "VICTIM=" + victim_, "PORT=" + outside_->port(),
            "OUTSIDE=" + std::to_string(outside_->pid())};
  }
  std::vector<std::string> Policy(const Suite& suite) const {
    return {"--ro", DirectoryOf(GuestOf(suite)), "--hide", hidden_};
  }
  // In a shell that has the victim as its standard input, and the secret open.
  RunResult WithDescriptors(Command command) const {
    std::string line = "trap 'echo the shell outside is hit' USR2;";
    for (const std::string& word : command.argv) line += " '" + word + "'";
    command.argv = {"sh", "-c", line + " < '" + victim_ + "' 5< '" + secret_ + "'"};
    return RunToEnd(command);
  }

  void Attempt(const Suite& suite, const std::vector<std::string>& environment,
               const std::vector<std::string>& options = {}) {
    std::vector<std::string> all = Environment();
    all.insert(all.end(), environment.begin(), environment.end());
    std::vector<std::string> policy = Policy(suite);
    policy.insert(policy.end(), options.begin(), options.end());
    ExpectHeld(suite, WithDescriptors(Line(policy, {GuestOf(suite)}, all)));
  }

  void ExpectHeld(const Suite& suite, const RunResult& result) {
    EXPECT_EQ(result.exit_code, 0) << result;
    std::istringstream lines(result.out);
    int attempts = 0;
    int controls = 0;
    for (std::string name, outcome; lines >> name >> outcome;) {
      const bool control = name.rfind("Control", 0) == 0;
      const std::string wanted = control ? "out" : "held";
      EXPECT_TRUE(outcome == wanted || suite.allowed.count(name) != 0) << name << " " << outcome;
      (control ? controls : attempts) += 1;
    }
    EXPECT_GE(attempts, suite.attempts) << result;
    EXPECT_EQ(controls, suite.controls);
    EXPECT_EQ(ReadFile(victim_), "victim");
    EXPECT_EQ(ReadFile(secret_), "secret");
    EXPECT_THAT(result.out, Not(HasSubstr("is hit")));
    EXPECT_NE(access((hidden_ + "/new").c_str(), F_OK), 0);
    EXPECT_EQ(kill(outside_->pid(), 0), 0);
  }

  std::unique_ptr<Outside> outside_;
  std::string hidden_, secret_, victim_;
};

INSTANTIATE_TEST_SUITE_P(All, EscapeTest, testing::ValuesIn(Accounts()),
                         [](const testing::TestParamInfo<Account>& info) { return info.param.name; });

TEST_P(EscapeTest, AreHeldWithTheShim) { Attempt(kKnown, {}); }
TEST_P(EscapeTest, AreHeldAroundTheShim) { Attempt(kKnown, {"GADGET=1"}); }
TEST_P(EscapeTest, OfStrangersAreHeldWithTheShim) { Attempt(kStrangers, {}); }
TEST_P(EscapeTest, OfStrangersAreHeldAroundTheShim) { Attempt(kStrangers, {"GADGET=1"}); }

TEST_P(EscapeTest, AreHeldWithoutTheShim) {
  Attempt(kKnown, {}, {"--no-shim"});
  Attempt(kStrangers, {}, {"--no-shim"});
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
  Attempt(kWithoutNamespaces, {}, {"--policy", policy, "--best-effort"});
  Attempt(kWithoutNamespaces, {"GADGET=1"}, {"--policy", policy, "--best-effort"});
  Attempt(kWithoutNamespaces, {}, {"--policy", policy, "--best-effort", "--no-shim"});
}

TEST_P(EscapeTest, AreHeldForWhatExecStarts) {
  std::vector<std::string> policy = Policy(kKnown);
  policy.insert(policy.end(), {"--name", "cell"});
  Command holder = Line(policy, {"sh", "-c", "echo ready; cat"});
  holder.keep_stdin_open = true;
  const std::unique_ptr<Process> process = Process::Start(holder);
  ASSERT_TRUE(process->AwaitOutput("ready\n"));
  for (const Suite* const suite : {&kKnown, &kStrangers}) {
    Command command = guise_->Cli({"exec", "cell", "--", GuestOf(*suite)});
    command.cwd = directory_;
    for (const std::string& variable : Environment()) command.env.push_back(variable);
    ExpectHeld(*suite, WithDescriptors(command));
  }
  process->CloseInput();
  process->Wait();
}

TEST_P(EscapeTest, AreRealWithoutASandbox) {
  if (GetParam().uid == 0) GTEST_SKIP() << "root's attempts would change this host";
  Command command = guise_->In(NativeWay(), {GuestOf(kKnown)});
  command.cwd = directory_;
  for (const std::string& variable : Environment()) command.env.push_back(variable);
  const RunResult result = RunToEnd(command);
  for (const char* name : {"ReadSecret", "WriteVictim", "SecretByDots", "ListHidden", "SeeOutside", "Connect",
                           "ConnectAbstract", "UserNamespace"}) {
    EXPECT_THAT(result.out, HasSubstr(std::string(name) + " out\n"));
  }
}

// Those of strangers harm nobody when they succeed. In namespaces of mounts and processes: some look at all there are.
TEST_P(EscapeTest, OfStrangersAreRealWithoutASandbox) {
  if (GetParam().uid != 0) GTEST_SKIP() << "many need root";
  Command command = guise_->In(
      NativeWay(), {"unshare", "-m", "-u", "-p", "-f", "--mount-proc", "--propagation", "private", "sh", "-c",
                    "sleep 1000 > /dev/null 2>&1 & export OUTSIDE=$!; \"$0\"; kill $!", GuestOf(kStrangers)});
  command.cwd = directory_;
  for (const std::string& variable : Environment()) command.env.push_back(variable);
  command.env.emplace_back("NATIVE=1");
  std::istringstream lines(WithDescriptors(command).out);
  std::map<std::string, std::vector<std::string>> by_outcome;
  for (std::string name, outcome; lines >> name >> outcome;) by_outcome[outcome].push_back(name);
  const size_t out = by_outcome["out"].size();
  const size_t held = by_outcome["held"].size();
  const size_t lacks = by_outcome["lacks"].size();
  EXPECT_GE(out + held + lacks, static_cast<size_t>(kStrangers.attempts));
  EXPECT_LE(held * 10, out + held) << testing::PrintToString(by_outcome["held"]);
  // A kernel that has next to nothing is no control.
  EXPECT_LE(lacks * 10, out) << testing::PrintToString(by_outcome["lacks"]);
}

}  // namespace
}  // namespace guise::tests
