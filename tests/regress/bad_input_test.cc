// Bad input gets a clear error and the right exit code, and harms nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int kGuiseFailed = 125;
constexpr int kCannotExecute = 126;
constexpr int kNotFound = 127;

class BadInputTest : public testing::TestWithParam<Account> {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = &Guise::Shared(GetParam());
    directory_ = Stage::Get().MakeDirectory(GetParam(), "bad input");
  }

  // In every way: `guise run` and its guests still work afterwards.
  void TearDown() override {
    if (IsSkipped()) return;
    const RunResult good = RunToEnd(guise_->In(LinuxWay(), {"echo", "fine"}));
    EXPECT_EQ(good.out, "fine\n") << good;
  }

  void ExpectRefused(const std::vector<std::string>& argv, int exit_code, const std::string& object) {
    for (const Way& way : {LinuxWay(), LinuxAtServerWay(), FakerootWay()}) {
      Command command = guise_->In(way, argv);
      command.cwd = directory_;
      const RunResult result = RunToEnd(command);
      EXPECT_EQ(result.exit_code, exit_code) << way.name << ": " << result;
      EXPECT_THAT(result.err, AllOf(HasSubstr("guise"), HasSubstr(object))) << way.name;
      EXPECT_EQ(result.out, "") << way.name;
    }
  }

  std::string File(const std::string& name, const std::string& contents, mode_t mode) const {
    std::string path = directory_ + "/" + name;
    WriteFile(path, contents, mode);
    return path;
  }

  std::string Elf() const { return ReadFile(Stage::Get().Guest("tests/guests/fork_inside_dynamic.elf")); }

  Guise* guise_ = nullptr;
  std::string directory_;
};

TEST_P(BadInputTest, NoSuchProgramIs127) {
  ExpectRefused({"no-such-program"}, kNotFound, "no-such-program");
  ExpectRefused({"/no/such program"}, kNotFound, "/no/such program");
  ExpectRefused({"./no-such-program"}, kNotFound, "no-such-program");
}

TEST_P(BadInputTest, AProgramThatMayNotBeExecutedIs126) {
  File("plain", "words\n", 0644);
  ExpectRefused({"./plain"}, kCannotExecute, "plain");
  ExpectRefused({"/etc/passwd"}, kCannotExecute, "/etc/passwd");
}

TEST_P(BadInputTest, ADirectoryIs126) {
  ExpectRefused({"/tmp"}, kCannotExecute, "/tmp");
  ExpectRefused({"."}, kCannotExecute, ".");
}

TEST_P(BadInputTest, AScriptWithoutItsInterpreterIsRefused) {
  File("script", "#!/no/such/interpreter\n", 0755);
  // A shell says 127 here for bash and 126 for others; docker says 127: the file that is missing is a program.
  Command command = guise_->In(LinuxWay(), {"./script"});
  command.cwd = directory_;
  const RunResult result = RunToEnd(command);
  EXPECT_TRUE(result.exit_code == kNotFound || result.exit_code == kCannotExecute) << result;
  EXPECT_THAT(result.err, HasSubstr("script"));
}

TEST_P(BadInputTest, AProgramThatTheUserMayNotReadIsRefusedOrRuns) {
  if (GetParam().uid == 0) GTEST_SKIP() << "root may read everything";
  const std::string path = File("unreadable", Elf(), 0711);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(path.c_str(), 0, 0), 0);
  } else {
    ASSERT_EQ(chmod(path.c_str(), 0111), 0);
  }
  Command command = guise_->In(LinuxWay(), {path});
  command.env.push_back("GUEST_UID=" + std::to_string(GetParam().uid));
  const RunResult result = RunToEnd(command);
  // Natively it runs; what cannot be is that it hangs, dies, or escapes in silence.
  if (!result.ok()) {
    EXPECT_EQ(result.exit_code, kCannotExecute) << result;
    EXPECT_THAT(result.err, AllOf(HasSubstr("guise"), HasSubstr("unreadable")));
  }
}

TEST_P(BadInputTest, ATruncatedElfIs126) {
  const std::string elf = Elf();
  for (const std::size_t length : {std::size_t{4}, std::size_t{40}, std::size_t{64}, std::size_t{200}}) {
    File("truncated", elf.substr(0, length), 0755);
    ExpectRefused({"./truncated"}, kCannotExecute, "truncated");
  }
}

TEST_P(BadInputTest, AnElfWhoseSegmentsAreCutOffDiesOrIsRefusedButHarmsNothing) {
  const std::string elf = Elf();
  for (const std::size_t length : {std::size_t{1000}, std::size_t{4096}, std::size_t{5000}, elf.size() / 2}) {
    File("cut", elf.substr(0, length), 0755);
    Command command = guise_->In(LinuxWay(), {"./cut"});
    command.cwd = directory_;
    const RunResult result = RunToEnd(command);
    EXPECT_NE(result.exit_code, 0) << result;
    EXPECT_FALSE(result.timed_out) << result;
  }
}

TEST_P(BadInputTest, AnotherArchitecturesElfIs126) {
  std::string elf = Elf();
  elf[18] = static_cast<char>(0xb7);  // e_machine: AArch64
  File("foreign", elf, 0755);
  ExpectRefused({"./foreign"}, kCannotExecute, "foreign");
  elf[18] = 3;  // i386, in a 32-bit file
  elf[4] = 1;
  File("i386", elf, 0755);
  ExpectRefused({"./i386"}, kCannotExecute, "i386");
}

TEST_P(BadInputTest, AnElfWithWildHeadersIsRefusedAndHarmsNothing) {
  // Each byte of the file header and of the program headers, set to values that hurt.
  const std::string elf = Elf();
  for (std::size_t at = 16; at < 64 + 4 * 56; at += 3) {
    for (const unsigned char value : {0x00, 0x7f, 0xff}) {
      std::string wild = elf;
      if (static_cast<unsigned char>(wild[at]) == value) continue;
      wild[at] = static_cast<char>(value);
      File("wild", wild, 0755);
      Command command = guise_->In(LinuxWay(), {"./wild"});
      command.cwd = directory_;
      command.env.push_back("GUEST_UID=" + std::to_string(GetParam().uid));
      const RunResult result = RunToEnd(command);
      EXPECT_FALSE(result.timed_out) << "byte " << at << " = " << static_cast<int>(value) << ": " << result;
    }
  }
}

TEST_P(BadInputTest, AnUnknownPersonalityIsNamedWithThoseThereAre) {
  const RunResult result = RunToEnd(guise_->Cli({"run", "--personality", "windows", "--", "true"}));
  EXPECT_EQ(result.exit_code, kGuiseFailed) << result;
  EXPECT_THAT(result.err, AllOf(HasSubstr("windows"), HasSubstr("fakeroot"), HasSubstr("linux")));
  for (const char* stack : {"", ",", "fakeroot,fakeroot", "linux,fakeroot", "fakeroot,linux", "fakeroot,,"}) {
    const RunResult refused = RunToEnd(guise_->Cli({"run", "--personality", stack, "--", "true"}));
    EXPECT_EQ(refused.exit_code, kGuiseFailed) << "\"" << stack << "\": " << refused;
    EXPECT_NE(refused.err, "") << stack;
  }
}

TEST_P(BadInputTest, UnknownSyscallsAndPlacementsAreNamed) {
  for (const char* place : {"nosuchcall=server", "getuid=moon", "getuid", "=server", "all"}) {
    const RunResult result = RunToEnd(guise_->Cli({"run", "--place", place, "--", "true"}));
    EXPECT_EQ(result.exit_code, kGuiseFailed) << place << ": " << result;
    EXPECT_NE(result.err, "") << place;
  }
}

TEST_P(BadInputTest, ASessionThatIsNotThereIsNamed) {
  const std::vector<std::vector<std::string>> commands = {{"exec", "deadbeef", "--", "true"},
                                                          {"switch", "deadbeef", "linux"},
                                                          {"place", "deadbeef", "getuid=server"},
                                                          {"stop", "deadbeef"}};
  for (const auto& command : commands) {
    const RunResult result = RunToEnd(guise_->Cli(command));
    EXPECT_NE(result.exit_code, 0) << command[0] << ": " << result;
    EXPECT_THAT(result.err, HasSubstr("deadbeef")) << command[0];
  }
}

TEST_P(BadInputTest, ASessionThatHasEndedIsNotThere) {
  ASSERT_TRUE(RunToEnd(guise_->Cli({"run", "--name", "short", "--", "true"})).ok());
  EXPECT_TRUE(Eventually([&] { return RunToEnd(guise_->Cli({"ps"})).out.find("short") == std::string::npos; }));
  const RunResult result = RunToEnd(guise_->Cli({"switch", "short", "fakeroot"}));
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("short"));
}

TEST_P(BadInputTest, ANameInUseIsRefused) {
  Command command = guise_->Cli({"run", "--name", "mine", "--", "sh", "-c", "echo up; read x"});
  command.keep_stdin_open = true;
  const std::unique_ptr<Process> program = Process::Start(command);
  ASSERT_TRUE(program->AwaitOutput("up\n")) << program->Wait();
  const RunResult second = RunToEnd(guise_->Cli({"run", "--name", "mine", "--", "true"}));
  EXPECT_EQ(second.exit_code, kGuiseFailed) << second;
  EXPECT_THAT(second.err, HasSubstr("mine"));
  program->CloseInput();
  EXPECT_FALSE(program->Wait().timed_out);
}

TEST_P(BadInputTest, ARunInsideASessionIsRefusedWithTheRemedy) {
  const RunResult result =
      RunToEnd(guise_->In(LinuxWay(), {Stage::Get().prefix() + "/bin/guise", "run", "--", "true"}));
  EXPECT_EQ(result.exit_code, kGuiseFailed) << result;
  EXPECT_THAT(result.err, HasSubstr("session"));
}

TEST_P(BadInputTest, ASandboxInsideASandboxIsRefusedWithTheRemedy) {
  // Whose policy hides what the second one needs.
  const std::string& prefix = Stage::Get().prefix();
  const RunResult result =
      RunToEnd(guise_->Cli({"run", "--personality", "sandboxed", "--ro", prefix, "--", prefix + "/bin/guise", "run",
                            "--personality", "sandboxed", "--", "true"}));
  EXPECT_EQ(result.exit_code, kGuiseFailed) << result;
  EXPECT_THAT(result.err, HasSubstr("sessions do not nest")) << result;
}

TEST_P(BadInputTest, ANameThatIsNoneIsRefused) {
  for (const std::string& name : {std::string("a\nb"), std::string("\x1b[31m"), std::string(100, 'a')}) {
    const RunResult result = RunToEnd(guise_->Cli({"run", "--name", name, "--", "echo", "started"}));
    EXPECT_EQ(result.exit_code, kGuiseFailed) << result;
    EXPECT_THAT(result.err, HasSubstr("is no name")) << result;
  }
  const RunResult odd = RunToEnd(guise_->Cli({"run", "--name", "\xff", "--", "echo", "started"}));
  EXPECT_EQ(odd.exit_code, kGuiseFailed) << odd;
  EXPECT_THAT(odd.err, HasSubstr("UTF-8"));
}

TEST_P(BadInputTest, AnUnknownCommandIsNamed) {
  const RunResult result = RunToEnd(guise_->Cli({"nonsense"}));
  EXPECT_EQ(result.exit_code, 2) << result;
  EXPECT_THAT(result.err, AllOf(HasSubstr("nonsense"), HasSubstr("guise --help"))) << result;
}

TEST_P(BadInputTest, ItsVersionIsToldByACommandAndByTheUsualOption) {
  const RunResult command = RunToEnd(guise_->Cli({"version"}));
  const RunResult option = RunToEnd(guise_->Cli({"--version"}));
  EXPECT_THAT(command.out, StartsWith("guise ")) << command;
  EXPECT_EQ(option.out, command.out) << option;
  EXPECT_EQ(option.exit_code, 0) << option;
}

TEST_P(BadInputTest, CommandLinesThatMakeNoSenseAreRefused) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"nonsense"}, {"run"}, {"run", "--"}, {"run", "--nonsense", "--", "true"}, {"switch"}, {"server", "jump"}}) {
    const RunResult result = RunToEnd(guise_->Cli(words));
    EXPECT_NE(result.exit_code, 0) << words[0];
    EXPECT_THAT(result.err, StartsWith("guise: ")) << words[0];
  }
}

std::string NameOf(const testing::TestParamInfo<Account>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Accounts, BadInputTest, testing::ValuesIn(Accounts()), NameOf);

}  // namespace
}  // namespace guise::tests
