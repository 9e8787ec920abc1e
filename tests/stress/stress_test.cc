// Random walks (stress.h) end in the same sum natively and in each way under Guise.
//
// A few seconds of fixed walks; GUISE_TEST_STRESS_STEPS says how many steps all walks under Guise shall have together,
// GUISE_TEST_STRESS_SEED where their seeds begin.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

constexpr int kMostStepsOfAWalk = 20000;
constexpr int kWalksEach = 3;
constexpr int kStepsEach = 400;

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* given = getenv(name);
  return given == nullptr ? otherwise : atoll(given);
}

std::vector<Way> StressWays() {
  return {
      LinuxWay(),
      LinuxRewrittenWay(),
      {.name = "linux_rewritten_late", .options = {"--personality", "linux", "--rewrite-after", "4"}},
      LinuxSudWay(),
      FakerootWay(),
      LinuxAtServerWay(),
      {.name = "legacy_el6", .options = {"--personality", "legacy:el6"}},
  };
}

struct Case {
  std::string variant;
  Way way;
  Account account;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.variant << " " << c.way.name << " as " << c.account.name; }

struct Walk {
  int64_t seed = 0;
  int64_t steps = 0;
  int streams = 1;
};

// An ordinary user's programs are dynamic and static, root's dynamic.
std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Account& account : Accounts()) {
    for (const char* variant : {"dynamic", "static"}) {
      if (account.uid == 0 && std::string(variant) == "static") continue;
      for (const Way& way : StressWays()) cases.push_back({variant, way, account});
    }
  }
  return cases;
}

class StressTest : public testing::TestWithParam<Case> {
 protected:
  RunResult Run(const Way& way, const Walk& walk, bool is_traced = false) {
    const Case& c = GetParam();
    const std::string directory = Stage::Get().MakeDirectory(c.account, "stress");
    const std::string guest = Stage::Get().Guest("tests/stress/stress_" + c.variant + ".elf");
    Command command =
        Guise::For(way, c.account)
            .In(way, {guest, std::to_string(walk.seed), std::to_string(walk.steps), std::to_string(walk.streams)});
    command.env.push_back("GUEST_UID=" + std::to_string(way.fakeroot ? 0 : c.account.uid));
    if (is_traced) command.env.push_back("STRESS_TRACE=1");
    command.cwd = directory;
    RunResult result = RunToEnd(command);
    RemoveTree(directory);
    return result;
  }

  // On stderr may stand what Guise says about the program's age.
  static bool IsSame(const RunResult& native, const RunResult& result) {
    return result.ok() && result.out == native.out && result.err.find("not true") == std::string::npos;
  }

  // What a walk is told under Guise is not what it is told natively.
  bool Differs(const Walk& walk) { return !IsSame(Run(NativeWay(), walk), Run(GetParam().way, walk)); }

  // A shorter walk that differs, by halving between one that does not and one that does.
  Walk Shortest(const Walk& walk) {
    int64_t same = 0;
    int64_t differs = walk.steps / walk.streams;
    while (differs - same > 1) {
      const int64_t middle = (same + differs) / 2;
      if (Differs({walk.seed, middle * walk.streams, walk.streams})) {
        differs = middle;
      } else {
        same = middle;
      }
    }
    return {walk.seed, differs * walk.streams, walk.streams};
  }

  // The step of each stream after which the sums differ first.
  std::string FirstDifferences(const Walk& walk) {
    const RunResult native = Run(NativeWay(), walk, true);
    const RunResult result = Run(GetParam().way, walk, true);
    std::string differences;
    for (int stream = 0; stream < walk.streams; ++stream) {
      const std::string begin = "stream " + std::to_string(stream) + " depth 0 ";
      const std::vector<std::string> expected = LinesThatBegin(native.err, begin);
      const std::vector<std::string> actual = LinesThatBegin(result.err, begin);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        if (i < actual.size() && actual[i] == expected[i]) continue;
        differences += "natively: " + expected[i] + "\nhere:     " + (i < actual.size() ? actual[i] : "(none)") + "\n";
        break;
      }
    }
    return differences;
  }

  std::string CommandLine(const Walk& walk) {
    const Case& c = GetParam();
    std::string line = "GUEST_UID=" + std::to_string(c.way.fakeroot ? 0 : c.account.uid) + " guise run";
    for (const std::string& option : c.way.options) line += " " + option;
    return line + " -- $GUISE/bazel-bin/tests/stress/stress_" + c.variant + ".elf " + std::to_string(walk.seed) + " " +
           std::to_string(walk.steps) + " " + std::to_string(walk.streams);
  }

  void Compare(const Walk& walk) {
    const RunResult native = Run(NativeWay(), walk);
    ASSERT_TRUE(native.ok() && native.err.empty()) << native;
    const RunResult result = Run(GetParam().way, walk);
    if (IsSame(native, result)) return;
    const Walk shortest = Shortest(walk);
    ADD_FAILURE() << "seed " << walk.seed << ", " << GetParam().way.name << ", " << walk.steps << " steps, "
                  << walk.streams << " streams: natively " << native.out << "here " << result
                  << "\nFewest steps: " << shortest.steps
                  << (Differs(shortest) ? "" : ", which are the same when done once more")
                  << "; in an empty directory, $GUISE being the source tree:\n  " << CommandLine(shortest) << "\n"
                  << FirstDifferences(shortest);
  }

 private:
  static std::vector<std::string> LinesThatBegin(const std::string& text, const std::string& begin) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      if (line.rfind(begin, 0) == 0) lines.push_back(line);
    }
    return lines;
  }
};

TEST_P(StressTest, WalksEndAsTheyDoNatively) {
  GUISE_NEEDS(GetParam().way);
  const int64_t all = FromEnvironment("GUISE_TEST_STRESS_STEPS", 0);
  const int64_t mine = all == 0 ? kWalksEach * kStepsEach : all / static_cast<int64_t>(Cases().size());
  const int64_t each = all == 0 ? kStepsEach : std::min<int64_t>(mine, kMostStepsOfAWalk);
  const int64_t seed = FromEnvironment("GUISE_TEST_STRESS_SEED", 1);
  constexpr int kStreams[] = {1, 4, 2};
  for (int64_t i = 0; i * each < mine; ++i) {
    Compare({seed + i, each, kStreams[i % 3]});
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, StressTest, testing::ValuesIn(Cases()), [](const testing::TestParamInfo<Case>& info) {
  return info.param.variant + "_" + info.param.way.name + "_" + info.param.account.name;
});

}  // namespace
}  // namespace guise::tests
