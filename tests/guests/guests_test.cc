// Every guest, in every variant that it is built in, must pass natively, and then in each way under Guise.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "proto/wire/book.h"
#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

struct Case {
  std::string guest;  // its name and variant: "fork_inside_static"
  Way way;
  Account account;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.guest << " " << c.way.name << " as " << c.account.name; }

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// A generic kernel is made by a filter, which programs can see.
bool SeesFilters(const std::string& guest) { return guest.rfind("seccomp_filters", 0) == 0; }

// Of those that are run many times over: one variant of each, and none that takes seconds, as storms of signals do
// where a fork takes as long as their timers.
bool LearnsFast(const std::string& guest) {
  if (!EndsWith(guest, "_dynamic") && guest.rfind("site_", 0) != 0) return false;
  for (const char* const name : {"site_libraries", "site_large_text", "site_no_room", "signal_fork_storm",
                                 "signal_timer_storm", "signal_storm_conserved"}) {
    if (guest.rfind(name, 0) == 0) return false;
  }
  return true;
}

// What a sandbox refuses, or is made of itself.
bool NeedsWhatASandboxRefuses(const std::string& guest) {
  for (const char* const name : {"seccomp_filters", "exec_surroundings", "trace_memory", "trace_vfork_child",
                                 "trace_fork_child", "trace_landlock"}) {
    if (guest.rfind(name, 0) == 0) return true;
  }
  return false;
}

// Ordinary users run everything; root runs one variant of each, and nothing with every call at the server and back.
std::vector<Case> Cases() {
  std::vector<std::string> guests;
  for (const auto& entry : std::filesystem::directory_iterator(Runfile("tests/guests"))) {
    const std::string name = entry.path().filename().string();
    if (!EndsWith(name, ".elf") || name.rfind("raw_owner", 0) == 0) continue;
    guests.push_back(name.substr(0, name.size() - 4));
  }
  std::sort(guests.begin(), guests.end());
  std::vector<Case> cases;
  for (const std::string& guest : guests) {
    for (const Account& account : Accounts()) {
      if (account.uid == 0 && !EndsWith(guest, "_dynamic") && guest != "go_guest") continue;
      for (const Way& way : Ways()) cases.push_back({guest, way, account});
      if (account.uid != 0) {
        cases.push_back({guest, ThroughWay(), account});
        cases.push_back({guest, LinuxRewrittenWay(), account});
      }
      if (EndsWith(guest, "_dynamic")) cases.push_back({guest, LinuxSudWay(), account});
      if (account.uid != 0 && LearnsFast(guest)) cases.push_back({guest, LinuxKnownWay(), account});
      if (!SeesFilters(guest)) cases.push_back({guest, LegacyWay(), account});
      const bool one_of_each = EndsWith(guest, account.uid == 0 ? "_dynamic" : "_static") || guest == "go_guest";
      if (one_of_each && !NeedsWhatASandboxRefuses(guest)) cases.push_back({guest, SandboxedWay(), account});
    }
  }
  return cases;
}

// What a program finds when it reads its own code is a documented difference (docs/REWRITING.md).
bool ReadsItsText(const std::string& guest) { return guest.rfind("own_text", 0) == 0; }

Way For(const std::string& guest, Way way) {
  const bool is_sud = way.name == LinuxSudWay().name;
  way = Showing(way, Stage::Get().Guest("tests/guests/" + guest + ".elf"));
  if (ReadsItsText(guest) && !way.native && !is_sud) way.options.insert(way.options.end(), {"--mechanism", "sud"});
  return way;
}

// What guest.h's Unsupported() makes a guest end with.
constexpr int kUnsupported = 77;

class GuestTest : public testing::TestWithParam<Case> {};

// In a fresh directory.
RunResult RunGuest(const std::string& guest, const Way& way, const Account& account) {
  const std::string directory = Stage::Get().MakeDirectory(account, guest);
  std::vector<std::string> arguments = {Stage::Get().Guest("tests/guests/" + guest + ".elf")};
  // So many learn; one that learns by chance once more is a run as in other ways.
  const std::string runs = std::to_string(wire::kBookLearners + 1);
  if (way.name == LinuxKnownWay().name) {
    arguments.insert(arguments.begin(), {Stage::Get().Guest("tests/support/again"), runs});
  }
  Command command = Guise::For(way, account).In(way, arguments);
  command.env.push_back("GUEST_UID=" + std::to_string(way.fakeroot ? 0 : account.uid));
  command.cwd = directory;
  RunResult result = RunToEnd(command);
  RemoveTree(directory);
  return result;
}

TEST_P(GuestTest, Passes) {
  const Case& c = GetParam();
  GUISE_NEEDS(c.way);
  const RunResult result = RunGuest(c.guest, For(c.guest, c.way), c.account);
  if (result.exit_code == kUnsupported) {
    const RunResult native = RunGuest(c.guest, NativeWay(), c.account);
    ASSERT_EQ(native.exit_code, kUnsupported) << "supported natively: " << native;
    ASSERT_EQ(result.out, native.out);
    GTEST_SKIP() << result.out;
  }
  EXPECT_EQ(result.exit_code, 0) << result;
  EXPECT_TRUE(EndsWith(result.out, "pass\n")) << result;
  EXPECT_EQ(result.err, "") << "a guest that passes has nothing to complain about";
}

INSTANTIATE_TEST_SUITE_P(All, GuestTest, testing::ValuesIn(Cases()), [](const testing::TestParamInfo<Case>& info) {
  return info.param.guest + "_" + info.param.way.name + "_" + info.param.account.name;
});

}  // namespace
}  // namespace guise::tests
