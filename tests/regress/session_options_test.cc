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

TEST_F(UnshimmedTest, OneThatRunsManyTimesIsNamedOnce) {
  const RunResult result = Run({}, "for i in 1 2 3; do '" + unreadable_ + "'; done");
  const std::string told = "it may not be read: " + unreadable_ + " (3 times)\n";
  EXPECT_THAT(result.err, HasSubstr(told));
  EXPECT_EQ(result.err.find(unreadable_), result.err.rfind(unreadable_)) << result;
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

// `--mechanism sud` for some programs, by the user's config file.
class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    directory_ = Stage::Get().MakeDirectory(OrdinaryUser(), "config");
    ASSERT_EQ(mkdir((directory_ + "/guise").c_str(), 0755), 0);
    // Under `linux` it finds its text changed.
    reader_ = Stage::Get().Guest("tests/guests/own_text_dynamic.elf");
  }
  void TearDown() override { RemoveTree(directory_); }

  static std::string Rule(const std::string& path, const std::string& mechanism = "MECHANISM_SUD") {
    return "programs { path: \"" + path + "\" mechanism: " + mechanism + " }\n";
  }

  // With the text as the user's own config.
  RunResult Run(const std::string& config, std::vector<std::string> options = {}) const {
    WriteFile(directory_ + "/guise/config.textproto", config, 0644);
    options.insert(options.begin(), "run");
    for (const std::string& word :
         {std::string("--"), std::string("sh"), std::string("-c"), "GUEST_UID=$(id -u) '" + reader_ + "'"}) {
      options.push_back(word);
    }
    Command command = Guise::Shared(OrdinaryUser()).Cli(options);
    command.env.push_back("XDG_CONFIG_HOME=" + directory_);
    return RunToEnd(command);
  }

  std::string Directory() const { return reader_.substr(0, reader_.rfind('/') + 1); }

  std::string directory_, reader_;
};

TEST_F(ConfigTest, ATextStaysAsItIsWhereTheConfigSaysSo) {
  EXPECT_NE(Run("").exit_code, 0);
  EXPECT_NE(Run(Rule("/usr/bin/other")).exit_code, 0);
  for (const std::string& config : {Rule(reader_), Rule(Directory())}) {
    const RunResult result = Run("# this one reads itself\n" + config);
    EXPECT_EQ(result.out, "pass\n") << config << result;
  }
}

TEST_F(ConfigTest, TheLastRuleThatMatchesDecides) {
  EXPECT_NE(Run(Rule(Directory()) + Rule(reader_, "MECHANISM_REWRITE")).exit_code, 0);
  EXPECT_EQ(Run(Rule(reader_, "MECHANISM_REWRITE") + Rule(Directory())).out, "pass\n");
}

TEST_F(ConfigTest, AProgramIsMeantByALinkToItToo) {
  const std::string link = directory_ + "/link";
  ASSERT_EQ(symlink(reader_.c_str(), link.c_str()), 0);
  EXPECT_EQ(Run(Rule(link)).out, "pass\n");
}

TEST_F(ConfigTest, AnOptionNamesAnotherFile) {
  const std::string other = directory_ + "/other";
  WriteFile(other, Rule(reader_), 0644);
  EXPECT_EQ(Run("", {"--config", other}).out, "pass\n");
  EXPECT_NE(Run(Rule(reader_), {"--config", "/dev/null"}).exit_code, 0);
}

TEST_F(ConfigTest, OneThatCannotBeIsRefused) {
  const std::pair<std::string, std::string> all[] = {
      {"programs { path: \"/a\"\n mechanism: FAST }", "guise/config.textproto, line 2, column"},
      {"program { }", "guise/config.textproto, line 1, column"},
      {Rule("luajit"), "program \"luajit\": not an absolute path"},
      {"programs { path: \"/a\" }", "program \"/a\": no mechanism"},
      {Rule("/" + std::string(20000, 'a')), "name directories"},
  };
  for (const auto& [config, error] : all) {
    const RunResult result = Run(config);
    EXPECT_EQ(result.exit_code, 125) << config;
    EXPECT_EQ(result.out, "") << config;
    EXPECT_THAT(result.err, HasSubstr(error)) << config;
  }
  const RunResult absent = Run("", {"--config", "/no/such/config"});
  EXPECT_EQ(absent.exit_code, 125) << absent;
  EXPECT_THAT(absent.err, HasSubstr("config /no/such/config cannot be read"));
}

}  // namespace
}  // namespace guise::tests
