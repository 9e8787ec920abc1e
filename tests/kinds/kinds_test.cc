// Argument kinds are verified, not believed. Each row of the syscall table is called with memory that ends where its
// kinds say, with one byte less, with none, with read-only memory, with lengths at their limits (kinds_guest):
// natively, where Linux must do what the table says, and then under Guise, where results, errors and bytes must be the
// same.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

const std::vector<std::string>& Covered() {
  static const std::vector<std::string> names = {
#define COVERED(name, ...) #name,
#define EXCUSED(name, ...)
#include "tests/kinds/recipes.def"
  };
  return names;
}

// Where all calls go to the server, and where they come back from it to be done.
const std::vector<Way>& ReflectingWays() {
  static const std::vector<Way> ways = {LinuxAtServerWay(), ThroughWay()};
  return ways;
}

using Lines = std::map<std::string, std::string>;

// "read exact: 9 [1]=..." by its first word.
Lines ByRow(const std::string& text, char end) {
  Lines lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines[line.substr(0, line.find(end))] += line + "\n";
  return lines;
}

struct Answers {
  RunResult end;
  Lines answers;
  Lines broken;  // what the table says and Linux does not do
};

struct Case {
  std::string row;
  Account account;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.row << " as " << c.account.name; }

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Account& account : Accounts()) {
    for (const std::string& row : Covered()) cases.push_back({row, account});
  }
  return cases;
}

class KindsTest : public testing::TestWithParam<Case> {
 protected:
  // One run for all rows, in the same directory each time: getcwd(2) shows it.
  static const Answers& Of(const Way& way, const Account& account) {
    static std::map<std::pair<std::string, std::string>, Answers> all;
    static std::map<std::string, std::string> directories;
    std::string& directory = directories[account.name];
    if (directory.empty()) directory = Stage::Get().MakeDirectory(account, "kinds");
    const auto [place, added] = all.try_emplace({way.name, account.name});
    Answers& answers = place->second;
    if (!added) return answers;
    std::vector<std::string> argv = {Stage::Get().Guest("tests/kinds/kinds_guest")};
    if (way.native) argv.emplace_back("check");
    Command command = Guise::For(way, account).In(way, argv);
    command.cwd = directory;
    // Thousands of cases, each of which forks, reflected twice over.
    command.patience_seconds = 5 * kPatienceSeconds;
    answers.end = RunToEnd(command);
    answers.answers = ByRow(answers.end.out, ' ');
    answers.broken = ByRow(answers.end.err, ':');
    return answers;
  }
};

TEST_P(KindsTest, TheTableIsLinuxAndGuiseIsToo) {
  const auto& [row, account] = GetParam();
  const Answers& native = Of(NativeWay(), account);
  ASSERT_EQ(native.answers.count(row), 1u) << "exit code " << native.end.exit_code << ": " << native.end.err;
  const auto broken = native.broken.find(row);
  EXPECT_EQ(broken, native.broken.end()) << broken->second << "natively, against the table:\n"
                                         << native.answers.at(row);
  if (!Guise::Available() || Stage::Get().through_prefix().empty()) return;
  for (const Way& way : ReflectingWays()) {
    const Answers& reflected = Of(way, account);
    const auto answers = reflected.answers.find(row);
    ASSERT_NE(answers, reflected.answers.end()) << way.name << ": " << reflected.end;
    EXPECT_EQ(answers->second, native.answers.at(row)) << way.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, KindsTest, testing::ValuesIn(Cases()), [](const testing::TestParamInfo<Case>& info) {
  return info.param.row + "_" + info.param.account.name;
});

// A table that nobody holds against Linux could say anything: wrong kinds must not pass.
TEST(KindsPlantTest, EachWrongKindIsNoticed) {
  std::set<std::string> believed = {
#define BELIEVED(row, argument, reason) #row " " #argument,
#include "tests/kinds/believed.def"
  };
  const Account account = Accounts().front();
  Command command = Guise::Native(account).In(NativeWay(), {Stage::Get().Guest("tests/kinds/kinds_guest"), "plant"});
  command.cwd = Stage::Get().MakeDirectory(account, "plants");
  const RunResult result = RunToEnd(command);
  ASSERT_EQ(result.exit_code, 0) << result;
  std::map<std::string, int> verdicts;
  std::istringstream stream(result.out);
  for (std::string line; std::getline(stream, line);) {
    const std::string verdict = line.substr(line.rfind(' ') + 1);
    const std::string where = line.substr(0, line.find(' ', line.find(' ') + 1));
    ++verdicts[verdict];
    if (verdict == "believed") {
      EXPECT_EQ(believed.count(where), 1u) << line;
    }
  }
  for (const auto& [verdict, count] : verdicts) RecordProperty(verdict, count);
  EXPECT_GT(verdicts["noticed"], 400);
}

TEST(KindsListTest, HasEachRowOfTheTableOnce) {
  std::map<std::string, int> listed;
#define COVERED(name, ...) ++listed[#name];
#define EXCUSED(name, ...) ++listed[#name];
#include "tests/kinds/recipes.def"
#define GUISE_SYSCALL(nr, name, ...) \
  EXPECT_EQ(listed[#name], 1) << #name << ": neither covered nor excused in recipes.def, or twice";
#include "proto/syscall/x86_64.def"
}

}  // namespace
}  // namespace guise::tests
