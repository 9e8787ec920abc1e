// Attempts without a sandbox: one that does not succeed then proves nothing. What an attempt needs is told by itself
// (attempts.h), what there is by `guise doctor`.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sandbox/escape.h"
#include "tests/support/json.h"

namespace guise::tests {
namespace {

constexpr char kCover[] = "a cover";
constexpr char kHole[] = "a hole in the kernel";

class NativeTest : public AttemptTest {
 protected:
  // Root's attempts would change this machine elsewhere.
  Command Natively(Command command, const std::string& prepare = "true") const {
    command.cwd = directory_;
    // In a namespace of processes it is there that one is outside.
    const std::string outside = "export OUTSIDE=$(setsid sh -c 'sleep 1000 > /dev/null 2>&1 & echo $!'); ";
    command = WithDescriptors(command, GetParam().uid == 0 ? outside + prepare : prepare);
    command.argv.insert(command.argv.begin(), {"setsid", "-w"});
    return Apart(command, {"-u", "-p", "-f", "--mount-proc"});
  }

  // What doctor names, and whether it is there.
  std::map<std::string, bool> Facts() const {
    const RunResult result = RunToEnd(Natively(guise_->Cli({"doctor", "--json"})));
    const std::optional<Json> json = ParseJson(result.out);
    EXPECT_TRUE(json.has_value()) << result;
    std::map<std::string, bool> facts = {{kCover, GetParam().uid == 0}, {kHole, false}};
    if (!json.has_value()) return facts;
    for (const Json& finding : (*json)["findings"].items)
      facts[finding["name"].text] = finding["present"].text == "true";
    return facts;
  }

  // One attempt, by itself.
  std::string OutcomeOf(const Suite& suite, const std::string& name, bool covered) const {
    MakeFiles();
    Command command = guise_->In(NativeWay(), {GuestOf(suite), name});
    for (const std::string& variable : Environment()) command.env.push_back(variable);
    const std::string prepare = covered ? "mount -t tmpfs cover '" + hidden_ + "'" : "true";
    const RunResult result = RunToEnd(Natively(command, prepare));
    const Outcomes outcomes = OutcomesOf(result);
    const auto found = outcomes.find(name);
    EXPECT_NE(found, outcomes.end()) << name << result;
    return found == outcomes.end() ? "" : found->second;
  }

  void ExpectReal(const Suite& suite) const {
    const std::map<std::string, bool> facts = Facts();
    const auto all = Needs(suite);
    int attempts = 0;
    std::vector<std::string> out, held, unexpected;
    std::map<std::string, std::vector<std::string>> lacking;
    for (const auto& [name, needs] : all) {
      std::vector<std::string> missing;
      for (const std::string& need : needs) {
        const auto fact = facts.find(need);
        ASSERT_NE(fact, facts.end()) << name << " needs what doctor does not know: " << need;
        if (!fact->second) missing.push_back(need);
      }
      const bool covered = missing.empty() && std::count(needs.begin(), needs.end(), kCover) != 0;
      const std::string outcome = OutcomeOf(suite, name, covered);
      if (IsControl(name)) {
        EXPECT_TRUE(outcome == "out" || !missing.empty()) << name;
        continue;
      }
      ++attempts;
      for (const std::string& need : missing) lacking[need].push_back(name);
      if (!missing.empty()) {
        if (outcome == "out") unexpected.push_back(name);
      } else {
        (outcome == "out" ? out : held).push_back(name);
      }
    }
    const size_t could = out.size() + held.size();
    std::cout << suite.guest << " as " << GetParam().name << ": of " << attempts << " attempts " << could
              << " have what they need, " << out.size() << " of them succeed; not " << testing::PrintToString(held)
              << "\nlacking: " << testing::PrintToString(lacking)
              << "\nsucceeded without what they say that they need: " << testing::PrintToString(unexpected) << "\n";
    EXPECT_GE(attempts, suite.attempts);
    EXPECT_GE(out.size() * 10, could * 9) << testing::PrintToString(held);
    // Else doctor does not see what is there, or attempts do not need what they say.
    EXPECT_LE(unexpected.size() * 10, out.size()) << testing::PrintToString(unexpected);
    // Where next to nothing is there, that is no control.
    EXPECT_GE(could * 2, static_cast<size_t>(attempts)) << testing::PrintToString(lacking);
  }
};

INSTANTIATE_TEST_SUITE_P(All, NativeTest, testing::ValuesIn(Accounts()),
                         [](const testing::TestParamInfo<Account>& info) { return info.param.name; });

TEST_P(NativeTest, NineInTenAttemptsThatHaveWhatTheyNeedSucceed) { ExpectReal(kKnown); }
TEST_P(NativeTest, NineInTenAttemptsOfStrangersThatHaveWhatTheyNeedSucceed) { ExpectReal(kStrangers); }

}  // namespace
}  // namespace guise::tests
