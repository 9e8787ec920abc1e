// Options of a session that change what its guests may do: programs that cannot run inside, and the guests' own seccomp
// filters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::HasSubstr;

class UnshimmedTest : public testing::Test {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    if (geteuid() != 0) GTEST_SKIP() << "only root makes programs that raise others";
    directory_ = Stage::Get().MakeDirectory(Self(), "unshimmed");
    set_uid_ = directory_ + "/id";
    CopyFile("/usr/bin/id", set_uid_, 04755);
    unreadable_ = directory_ + "/echo";
    CopyFile("/bin/echo", unreadable_, 0111);
  }
  void TearDown() override { RemoveTree(directory_); }

  RunResult Run(std::vector<std::string> options, const std::string& script) {
    Guise& guise = Guise::Shared(OrdinaryUser());
    std::vector<std::string> arguments = {"run"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    for (const char* word : {"--", "sh", "-c"}) arguments.emplace_back(word);
    arguments.push_back(script);
    return RunToEnd(guise.Cli(arguments));
  }

  std::string directory_, set_uid_, unreadable_;
};

TEST_F(UnshimmedTest, RunOutsideAndAreNamed) {
  for (const char* personality : {"linux", "fakeroot"}) {
    const RunResult result =
        Run({"--personality", personality}, "'" + set_uid_ + "' -u; '" + unreadable_ + "' seen; echo $?");
    EXPECT_EQ(result.out, "0\nseen\n0\n") << result;
    EXPECT_THAT(result.err, HasSubstr("runs outside of the session, for it is set-uid: " + set_uid_));
    EXPECT_THAT(result.err, HasSubstr("runs outside of the session, for it may not be read: " + unreadable_));
  }
}

TEST_F(UnshimmedTest, AreRefusedWhenTheSessionSaysSo) {
  const RunResult result =
      Run({"--unshimmed=refuse"}, "'" + set_uid_ + "' -u; echo $?; '" + unreadable_ + "'; echo $?");
  EXPECT_EQ(result.out, "126\n126\n") << result;
  EXPECT_THAT(result.err, HasSubstr("Operation not permitted"));
  EXPECT_THAT(result.err, HasSubstr("Permission denied"));
}

TEST_F(UnshimmedTest, WhoeverIsNotRaisedStaysInside) {
  // For root the program is no other than any.
  Guise& guise = Guise::Shared(Self());
  const RunResult result = RunToEnd(guise.Cli({"run", "--", set_uid_, "-u"}));
  EXPECT_EQ(result.out, "0\n") << result;
  EXPECT_EQ(result.err, "");
  // And without new privileges nobody is raised.
  const RunResult kept = Run({}, "exec setpriv --no-new-privs '" + set_uid_ + "' -u");
  EXPECT_EQ(kept.out, std::to_string(OrdinaryUser().uid) + "\n") << kept;
  EXPECT_EQ(kept.err, "");
}

TEST(GuestSeccompTest, MeetsTheShimOnlyWhereItIsToBeExact) {
  GUISE_NEEDS_TREE();
  Guise& guise = Guise::Shared(OrdinaryUser());
  const std::string guest = Stage::Get().Guest("tests/guests/seccomp_other_calls_static.elf");
  const RunResult shim = RunToEnd(guise.Cli({"run", "--", guest}));
  EXPECT_EQ(shim.out, "pass\n") << shim;
  // The price of exactness: the filter kills for calls that are the shim's own.
  const RunResult exact = RunToEnd(guise.Cli({"run", "--keep-guest-seccomp=exact", "--", guest}));
  EXPECT_NE(exact.exit_code, 0) << exact;
}

}  // namespace
}  // namespace guise::tests
