// Sessions under `legacy`: what the kernel looks like, calls that it no longer has, and a kernel without old calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/utsname.h>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kEl6[] = "2.6.32-754.35.1.el6.x86_64";

class LegacyTest : public testing::TestWithParam<Account> {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = &Guise::Shared(GetParam());
    directory_ = Stage::Get().MakeDirectory(GetParam(), "legacy");
  }
  void TearDown() override { RemoveTree(directory_); }

  RunResult Run(std::vector<std::string> options, const std::vector<std::string>& argv,
                const std::vector<std::string>& environment = {}) {
    std::vector<std::string> words = {"run"};
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("--");
    words.insert(words.end(), argv.begin(), argv.end());
    Command command = guise_->Cli(words);
    command.cwd = directory_;
    command.env.push_back("GUEST_UID=" + std::to_string(GetParam().uid));
    command.env.insert(command.env.end(), environment.begin(), environment.end());
    return RunToEnd(command);
  }

  std::string Guest(const std::string& name) { return Stage::Get().Guest("tests/" + name + ".elf"); }

  // A profile of this text, as `--personality` takes it.
  std::string Profile(const std::string& text) {
    WriteFile(directory_ + "/profile", text, 0644);
    return "legacy:" + directory_ + "/profile";
  }

  void ExpectRefused(const std::vector<std::string>& options, const std::vector<std::string>& words) {
    const RunResult result = Run(options, {"echo", "started"});
    EXPECT_EQ(result.exit_code, 125) << result;
    EXPECT_EQ(result.out, "");
    for (const std::string& word : words) EXPECT_THAT(result.err, HasSubstr(word));
  }

  Guise* guise_ = nullptr;
  std::string directory_;
};

INSTANTIATE_TEST_SUITE_P(All, LegacyTest, testing::ValuesIn(Accounts()),
                         [](const testing::TestParamInfo<Account>& info) { return info.param.name; });

TEST_P(LegacyTest, ShowsTheKernelOfItsProfileEverywhere) {
  // musl does not say which kernel it needs.
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--place", "all=server"}}) {
    std::vector<std::string> options = {"--personality", "legacy:el6"};
    options.insert(options.end(), more.begin(), more.end());
    const RunResult result = Run(options, {Guest("guests/kernel_look_musl")}, {std::string("KERNEL_RELEASE=") + kEl6});
    EXPECT_EQ(result.out, "pass\n") << result;
    EXPECT_EQ(result.err, "");
  }
}

TEST_P(LegacyTest, ShowsNoOlderKernelThanTheProgramNeeds) {
  for (const char* variant : {"dynamic", "static"}) {
    const RunResult result = Run({"--personality", "legacy:el6"}, {Guest(std::string("guests/kernel_look_") + variant)},
                                 {"KERNEL_RELEASE=3.2.0"});
    EXPECT_EQ(result.out, "pass\n") << result;
    EXPECT_THAT(result.err, AllOf(HasSubstr("3.2.0, not 2.6.32"), HasSubstr(variant)));
  }
}

TEST_P(LegacyTest, PromisesNoNewerKernelThanTheHosts) {
  utsname host = {};
  uname(&host);
  const std::string release = host.release;
  const std::string number = release.substr(0, release.find_first_not_of("0123456789."));
  const RunResult result = Run({"--personality", "legacy:el6"}, {Guest("legacy/needs_more_musl")});
  EXPECT_EQ(result.out, number + "\npass\n") << result;
  EXPECT_THAT(result.err, HasSubstr("a program is told of Linux " + number));
}

TEST_P(LegacyTest, ShowsTheHostsKernelUnderAProfileWithoutOne) {
  utsname host = {};
  uname(&host);
  const RunResult result = Run({"--personality", "legacy:modern"}, {"uname", "-r"});
  EXPECT_EQ(result.out, std::string(host.release) + "\n") << result;
}

TEST_P(LegacyTest, AnswersAVsyscallPageThatTheKernelLacks) {
  // One page above the real one: the fault is the same.
  const std::string moved = Profile("vsyscall_page: 0xffffffffff601000");
  for (const char* variant : {"dynamic", "static", "static_pie", "musl"}) {
    const std::string guest = Guest(std::string("guests/vsyscall_page_") + variant);
    const RunResult result = Run({"--personality", moved}, {guest}, {"VSYSCALL_PAGE=0xffffffffff601000"});
    EXPECT_EQ(result.out, "pass\n") << result;
    const RunResult without = Run({}, {guest}, {"VSYSCALL_PAGE=0xffffffffff601000"});
    EXPECT_EQ(without.out, "unsupported: a vsyscall page\n") << without;
  }
}

// Where Linux has it, on kernels without it (vsyscall=none): tests/vm boots one.
TEST_P(LegacyTest, AnswersTheVsyscallPageOnAKernelBootedWithoutIt) {
  if (ReadFile("/proc/self/maps").find("[vsyscall]") != std::string::npos)
    GTEST_SKIP() << "this kernel has a vsyscall page";
  const std::string trusting = Guest("legacy/old_time_static");
  Command native;
  native.argv = {trusting};
  native.account = GetParam();
  const RunResult alone = RunToEnd(native);
  EXPECT_EQ(alone.signal, SIGSEGV) << alone;
  const RunResult floor = Run({}, {trusting});
  EXPECT_EQ(floor.exit_code, 128 + SIGSEGV) << floor;
  for (const char* stack : {"legacy:el6", "fakeroot,legacy:el6"}) {
    const RunResult answered = Run({"--personality", stack}, {trusting});
    EXPECT_EQ(answered.out, "pass\n") << stack << answered;
    for (const char* variant : {"dynamic", "static", "static_pie", "musl"}) {
      const RunResult result = Run({"--personality", stack}, {Guest(std::string("guests/vsyscall_page_") + variant)});
      EXPECT_EQ(result.out, "pass\n") << stack << result;
    }
  }
}

TEST_P(LegacyTest, AnswersCallsThatKernelsNoLongerHave) {
  const RunResult result = Run({"--personality", "legacy:el6"}, {Guest("legacy/removed_calls_musl")});
  EXPECT_EQ(result.out, "pass\n") << result;
}

TEST_P(LegacyTest, TheGenericKernelItselfRefusesOldCalls) {
  const RunResult result =
      Run({"--personality", "legacy:modern", "--kernel", "generic"}, {Guest("legacy/jumps_past_dynamic")});
  EXPECT_EQ(result.out, "pass\n") << result;
}

TEST_P(LegacyTest, AGenericKernelNeedsAStackThatAnswersOldCalls) {
  ExpectRefused({"--kernel", "generic"}, {"linux", "generic", "open", "legacy:modern"});
  ExpectRefused({"--kernel", "generic", "--personality", "fakeroot"}, {"fakeroot", "open"});
  // Nor is it switched to another.
  Command command = guise_->Cli({"run", "--kernel", "generic", "--personality", "legacy:modern", "--name", "old", "--",
                                 "sh", "-c", "echo here; read word; ls / > /dev/null && echo $word"});
  command.keep_stdin_open = true;
  const std::unique_ptr<Process> guest = Process::Start(command);
  ASSERT_TRUE(guest->AwaitOutput("here\n"));
  const RunResult refused = RunToEnd(guise_->Cli({"switch", "old", "linux"}));
  EXPECT_EQ(refused.exit_code, 1) << refused;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("'linux'"), HasSubstr("generic"), HasSubstr("open")));
  const RunResult other = RunToEnd(guise_->Cli({"switch", "old", "fakeroot,legacy:el6"}));
  EXPECT_EQ(other.exit_code, 0) << other;
  const RunResult inside = RunToEnd(guise_->Cli({"exec", "old", "--", "grep", "Seccomp:", "/proc/self/status"}));
  EXPECT_EQ(inside.out, "Seccomp:\t2\n") << inside;
  guest->Write("done\n");
  guest->CloseInput();
  const RunResult result = guest->Wait();
  EXPECT_EQ(result.out, "here\ndone\n") << result;
}

TEST_P(LegacyTest, RefusesProfilesThatCannotBe) {
  ExpectRefused({"--personality", "legacy"}, {"legacy:el6", "modern"});
  ExpectRefused({"--personality", "legacy:el7"}, {"'el7'", "el6"});
  ExpectRefused({"--personality", "legacy:/none"}, {"/none", "cannot be read: No such file"});
  ExpectRefused({"--personality", "legacy:" + directory_}, {directory_, "is a directory; name a file"});
  ExpectRefused({"--personality", Profile("")}, {"/profile is empty", "legacy:modern"});
  // One that is there, but relative.
  ExpectRefused({"--personality", "legacy:profile"},
                {"no profile 'profile'", "or a file's path, which begins with / or ./"});
  ExpectRefused({"--personality", Profile("release: \"2.6.32\"\nversion: \"#1\"\nvsycall: 1\n")},
                {"/profile, line 3", "vsycall"});
  for (const char* const release :
       {"banana", "2.6", "2.6.32 x", "2.6.032", "2.6.", "2.6.32.", "2.6.32-", "2.256.1", "-2.6.32", "2.6.32x"}) {
    ExpectRefused({"--personality", Profile(std::string("\nrelease: \"") + release + "\" version: \"#1\"")},
                  {"/profile, line 2: ", release[0] == 'b' ? "banana" : "2."});
  }
  ExpectRefused({"--personality", Profile("version: \"#1\"\nrelease: \"1.0.0\"")}, {"/profile, line 2: ", "2.4.0"});
  ExpectRefused({"--personality", Profile("version: \"#1\"\n\nrelease: \"99.1.0\"")},
                {"/profile, line 3: ", "99.1", "newer than the host's"});
  for (const char* const release :
       {"2.6.32", "2.6.32+", "2.6.9-89.ELsmp", "3.10.0-1160.el7.x86_64", "2.4.21-4.EL_x~y"}) {
    const RunResult result =
        Run({"--personality", Profile(std::string("release: \"") + release + "\" version: \"#1\"")},
            {Guest("guests/kernel_look_musl")}, {std::string("KERNEL_RELEASE=") + release});
    EXPECT_EQ(result.out, "pass\n") << result;
  }
  ExpectRefused({"--personality", Profile("vsyscall_page: 4096")}, {"0x1000", "0xffffffffff600000"});
  ExpectRefused({"--personality", "fakeroot:el6"}, {"fakeroot:el6", "no argument"});
}

TEST_P(LegacyTest, StandsUnderFakeroot) {
  const RunResult result = Run(
      {"--personality", "fakeroot,legacy:modern", "--kernel", "generic"},
      {"sh", "-c", "id -u; touch f; chown 7:8 f; ls -ln f | cut -d' ' -f3,4; tar cf - f | tar tvf - --numeric-owner"});
  EXPECT_THAT(result.out, AllOf(HasSubstr("0\n7 8\n"), HasSubstr("7/8"))) << result;
}

}  // namespace
}  // namespace guise::tests
