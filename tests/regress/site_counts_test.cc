// `guise ps --wide` and --json say how a session's calls were caught.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "proto/wire/book.h"
#include "tests/support/guise.h"
#include "tests/support/json.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::HasSubstr;

constexpr int kCalls = 2000;
// A shell's builtin makes so many calls at one site.
const char kScript[] = "n=0; while test $n -lt 2000; do test -e /; n=$((n + 1)); done; echo up; read x";

class SiteCountsTest : public testing::Test {
 protected:
  void SetUp() override { GUISE_NEEDS_TREE(); }

  // The session's counts when the script has come to its end, by `guise ps --json`; and what --wide shows.
  Json Counts(const std::vector<std::string>& options, const std::string& before = "") {
    return Counts(Guise::Shared(OrdinaryUser()), options, before);
  }
  Json Counts(const Guise& guise, const std::vector<std::string>& options, const std::string& before) {
    std::vector<std::string> arguments = {"run", "--name", "counted"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    for (const char* word : {"--", "dash", "-c"}) arguments.emplace_back(word);
    arguments.push_back(before + kScript);
    Command command = guise.Cli(arguments);
    command.keep_stdin_open = true;
    const std::unique_ptr<Process> program = Process::Start(command);
    EXPECT_TRUE(program->AwaitOutput("up\n")) << program->Wait();
    const std::optional<Json> json = ParseJson(RunToEnd(guise.Cli({"ps", "--json"})).out);
    wide_ = RunToEnd(guise.Cli({"ps", "--wide"})).out;
    program->CloseInput();
    program->Wait();
    if (!json.has_value()) return {};
    for (const Json& session : (*json)["sessions"].items) {
      if (session["name"].text == "counted") return session["sites"];
    }
    return {};
  }

  std::string wide_;
};

TEST_F(SiteCountsTest, ASiteInUseIsRewrittenAndNoLongerCaught) {
  const Json sites = Counts({});
  EXPECT_GT(sites["near"].Number(), 0);
  EXPECT_GT(sites["stub_bytes"].Number(), sites["near"].Number() * 24);
  EXPECT_LT(sites["caught_calls"].Number(), kCalls);
  for (const char* head : {"CAUGHT", "NEAR", "FAR", "KNOWN", "STUBS", "KEPT"}) EXPECT_THAT(wide_, HasSubstr(head));
}

TEST_F(SiteCountsTest, SitesOfFilesKnownFromProcessesBeforeAreRewrittenAtOnce) {
  const std::string runs = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do dash -c 'test -e / && test -d /'; done; ";
  const Json sites = Counts({}, runs);
  EXPECT_GT(sites["known"].Number(), 0);
  EXPECT_GE(sites["near"].Number(), sites["known"].Number());
  EXPECT_EQ(Counts({"--mechanism", "sud"}, runs)["known"].Number(), 0);
}

// What a program calls is known of it, however many others map the same library and call other functions.
TEST_F(SiteCountsTest, SitesThatOneProgramOfManyCallsAreKnown) {
  constexpr int kRuns = 30;
  // One call of ls for each name, at one site; and ten programs that make none there.
  const std::string runs = "n=0; s='/ / / / / / / / / / / / / / / / / / / / / / / /'; while test $n -lt " +
                           std::to_string(kRuns) +
                           "; do for t in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done; ls -d $s >/dev/null; "
                           "n=$((n + 1)); done; ";
  const Json sites = Counts({}, runs);
  EXPECT_LT(sites["near"].Number() - sites["known"].Number(), kRuns) << "each ls had to count first";
}

// The book has no room for as many programs as a configure script makes; what comes later is noted of all of them.
TEST_F(SiteCountsTest, ProgramsBeyondTheBooksRoomShareWhatTheyCall) {
  constexpr int kRuns = 300;
  const std::string fill =
      "cd \"$(mktemp -d)\"; n=0; while test $n -lt 240; do cp /bin/true t$n; ./t$n; n=$((n + 1)); done; rm *; ";
  const std::string lists =
      "cp \"$(command -v ls)\" .; s='/ / / / / / / / / / / / / / / / / / / / / /'; n=0; while test $n -lt " +
      std::to_string(kRuns) + "; do ./ls -d $s >/dev/null; n=$((n + 1)); done; rm *; ";
  const auto by_count = [](const Json& sites) { return sites["near"].Number() - sites["known"].Number(); };
  const double before = by_count(Counts({}, fill));
  EXPECT_LT(by_count(Counts({}, fill + lists)) - before, kRuns / 2) << "each ls had to count first";
}

// A session of so few processes that all of them learn, where none has run before.
constexpr char kFewRuns[] = "for i in 1 2; do dash -c 'test -e / && test -d /'; done; ";
constexpr char kManyRuns[] = "for i in 1 2 3 4 5 6 7 8 9 10; do dash -c 'test -e / && test -d /'; done; ";

TEST_F(SiteCountsTest, ASessionKnowsWhatThoseBeforeHaveLearned) {
  EXPECT_EQ(Counts({}, kFewRuns)["known"].Number(), 0) << "not where nothing is kept";

  Guise guise(OrdinaryUser());
  guise.KeepSites();
  // A session's guests may be faster than the server is with what it knows, and all learn by chance.
  constexpr int kSessions = 20;
  const auto knows = [&] {
    for (int i = 0; i < kSessions; ++i) {
      if (Counts(guise, {}, kFewRuns)["known"].Number() > 0) return true;
    }
    return false;
  };
  ASSERT_TRUE(guise.StartServer().ok());
  Counts(guise, {}, kManyRuns);
  EXPECT_TRUE(knows());

  // The next server too, from the file.
  const std::string book = guise.cache_directory() + "/sites";
  ASSERT_TRUE(guise.StopServer().ok());
  ASSERT_TRUE(guise.StartServer().ok());
  EXPECT_TRUE(knows());

  // From a damaged one nothing, but it learns again.
  ASSERT_TRUE(guise.StopServer().ok());
  std::string bytes = ReadFile(book);
  ASSERT_GT(bytes.size(), 100u);
  bytes[bytes.size() / 2] ^= 1;
  WriteFile(book, bytes, 0600);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(book.c_str(), OrdinaryUser().uid, OrdinaryUser().gid), 0);
  }
  ASSERT_TRUE(guise.StartServer().ok());
  EXPECT_EQ(Counts(guise, {}, kFewRuns)["known"].Number(), 0);
  Counts(guise, {}, kManyRuns);
  EXPECT_TRUE(knows());
}

// Sites that a process cannot rewrite by what it knows of the text around them, the server finds a way for.
TEST_F(SiteCountsTest, TheServerKnowsAWayForSitesThatAreHard) {
  Guise guise(OrdinaryUser());
  guise.KeepSites();
  ASSERT_TRUE(guise.StartServer().ok());
  const std::string guest = Stage::Get().Guest("tests/guests/site_hard_dynamic.elf");
  // It checks what its calls are shown; four sites of 600 calls and more have a way, and one of 300 has none.
  const std::string run = "'" + guest + "' || exit 1; ";
  constexpr int64_t kOfOne = 600;
  EXPECT_GT(Counts(guise, {}, run + run + run + run + run)["caught_calls"].Number(), kOfOne * 5 * 3);
  constexpr int kSessions = 20;
  int64_t fewest = INT64_MAX;
  constexpr int64_t kMost = kOfOne * 3 / 2;
  for (int i = 0; i < kSessions && fewest >= kMost; ++i) {
    fewest = std::min(fewest, Counts(guise, {}, run)["caught_calls"].Number());
  }
  EXPECT_LT(fewest, kMost);
  EXPECT_GT(fewest, kOfOne / 2) << "one has no way";
}

// Also one that is still to learn, and takes its signals at all other sites.
TEST_F(SiteCountsTest, AProcessThatLearnsTakesTheServersWay) {
  Guise guise(OrdinaryUser());
  guise.KeepSites();
  ASSERT_TRUE(guise.StartServer().ok());
  const std::string run = "'" + Stage::Get().Guest("tests/guests/site_hard_dynamic.elf") + "' counted || exit 1; ";
  // Of four sites, all of which the server knows a way for.
  constexpr int64_t kOfOne = 300;
  const int64_t first = Counts(guise, {}, run)["caught_calls"].Number();
  int64_t fewest = INT64_MAX;
  // The first may have begun before the server had read the file.
  for (uint32_t learners = 1; learners < wire::kBookLearners; ++learners) {
    fewest = std::min(fewest, Counts(guise, {}, run)["caught_calls"].Number());
  }
  EXPECT_LT(fewest, first - 3 * kOfOne);
}

// Nobody has learned of them for it: the server knows the C library that it runs with itself. (trap changes the signal
// mask, where two short instructions follow the call.)
TEST_F(SiteCountsTest, ASandboxIsToldOfTheCLibrarysHardSites) {
  Guise guise(OrdinaryUser());
  guise.KeepSites();
  ASSERT_TRUE(guise.StartServer().ok());
  constexpr int kTraps = 2000;
  const std::string traps =
      "bash -c 'for ((i = 0; i < " + std::to_string(kTraps) + "; i++)); do trap : USR1; trap - USR1; done'; ";
  EXPECT_LT(Counts(guise, {"--personality", "sandboxed"}, traps)["caught_calls"].Number(), kTraps);
}

// The C library opens and reads a directory at sites of its own, one of which lies on two pages.
TEST_F(SiteCountsTest, DirectoriesAreListedWithoutSignals) {
  const std::string lists = "i=0; while test $i -lt 500; do for f in /e*; do :; done; i=$((i + 1)); done; ";
  EXPECT_LT(Counts({}, lists)["caught_calls"].Number(), 500);
}

// Where threads run, a site has to be used more often; those that wait in vfork(2) do not, however many.
TEST_F(SiteCountsTest, VforkChildrenOfVforkChildrenRewriteAsIfTheyWereAlone) {
  const std::string guest = Stage::Get().Guest("tests/guests/site_vfork_nested_dynamic.elf");
  constexpr int kSites = 20;
  // Some share a count.
  EXPECT_GT(Counts({}, "GUEST_UID=$(id -u) '" + guest + "' && ")["near"].Number(), kSites / 2);
}

// A child has its parent's block, but not what that has still to count.
TEST_F(SiteCountsTest, AForkChildCountsItsOwnSignals) {
  const std::string forks = "n=0; while test $n -lt 100; do (:); n=$((n + 1)); done; ";
  const Json few = Counts({"--mechanism", "sud"}, "n=0; while test $n -lt 100; do :; n=$((n + 1)); done; ");
  const Json forked = Counts({"--mechanism", "sud"}, forks);
  // Some in the child, some in the parent.
  constexpr double kMostOfOne = 20;
  EXPECT_LT(forked["caught_calls"].Number() - few["caught_calls"].Number(), 100 * kMostOfOne);
}

TEST_F(SiteCountsTest, WithDispatchAloneEachCallIsCaught) {
  const Json sites = Counts({"--mechanism", "sud"});
  EXPECT_TRUE(sites.Has("near"));
  EXPECT_EQ(sites["near"].Number(), 0);
  EXPECT_EQ(sites["far"].Number(), 0);
  EXPECT_GE(sites["caught_calls"].Number(), kCalls - 64);
}

TEST_F(SiteCountsTest, AProgramAtAFixedAddressHasStubsBesideIt) {
  const std::string guest = Stage::Get().Guest("tests/guests/site_numbers_static.elf");
  const Json sites = Counts({}, "GUEST_UID=$(id -u) '" + guest + "' && ");
  EXPECT_GT(sites["far"].Number(), 0);
}

}  // namespace
}  // namespace guise::tests
