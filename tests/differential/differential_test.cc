// Real programs do under Guise what they do natively: stdout, stderr, exit code and file tree.
#include "tests/support/differential.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/differential/cases.h"
#include "tests/support/guise.h"

namespace guise::tests {
namespace {

struct Case {
  Differential differential;
  Way way;
  Account account;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.differential.name << " " << c.way.name << " as " << c.account.name;
}

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const Differential& differential : Differentials()) {
    for (const Account& account : Accounts()) {
      if (account.uid == 0 && !differential.as_root) continue;
      for (const Way& way : Ways()) cases.push_back({differential, way, account});
      cases.push_back({differential, LegacyWay(), account});
      // A sandbox takes a hidden TMPDIR out of the environment.
      const bool confined = account.uid != 0 && differential.name != "proc_self";
      if (confined) cases.push_back({differential, SandboxedWay(), account});
    }
  }
  return cases;
}

// Two native runs, made once for each case and account.
const std::pair<Observation, Observation>& Natively(const Case& c) {
  static std::map<std::pair<std::string, uid_t>, std::pair<Observation, Observation>> known;
  const std::pair<std::string, uid_t> key = {c.differential.name, c.account.uid};
  const auto it = known.find(key);
  if (it != known.end()) return it->second;
  Guise& guise = Guise::Available() ? Guise::Shared(c.account) : Guise::Native(c.account);
  const Observation first = Observe(c.differential, guise, NativeWay());
  const Observation second = Observe(c.differential, guise, NativeWay());
  return known[key] = {first, second};
}

class DifferentialTest : public testing::TestWithParam<Case> {};

TEST_P(DifferentialTest, DoesWhatItDoesNatively) {
  const Case& c = GetParam();
  const std::string missing = Missing(c.differential.needs);
  if (!missing.empty()) GTEST_SKIP() << missing << " is not installed";
  if (!c.way.native) GUISE_NEEDS_TREE();
  const auto& [first, second] = Natively(c);
  if (c.way.native) {
    // The case itself is sound: it ends well, and says the same twice.
    EXPECT_EQ(first.result.exit_code, c.differential.exit_code) << first.result;
    for (const std::string& difference : Compare(first, second, second)) ADD_FAILURE() << difference;
    return;
  }
  const Observation actual = Observe(c.differential, Guise::Shared(c.account), c.way);
  for (const std::string& difference : Compare(first, second, actual)) ADD_FAILURE() << difference;
}

INSTANTIATE_TEST_SUITE_P(All, DifferentialTest, testing::ValuesIn(AllCases()),
                         [](const testing::TestParamInfo<Case>& info) {
                           return info.param.differential.name + "_" + info.param.way.name + "_" +
                                  info.param.account.name;
                         });

}  // namespace
}  // namespace guise::tests
