// gdb that attaches to a guest sees the program: its libraries, and behind a thread in a call the site that made it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class DebuggerTest : public testing::Test {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    if (access("/usr/bin/gdb", X_OK) != 0) GTEST_SKIP() << "needs gdb";
    // ABI: Documentation/admin-guide/LSM/Yama.rst: others than root attach only to their children, from 1 on.
    if (geteuid() != 0 && access("/proc/sys/kernel/yama/ptrace_scope", F_OK) == 0 &&
        ReadFile("/proc/sys/kernel/yama/ptrace_scope")[0] != '0') {
      GTEST_SKIP() << "only root may attach here";
    }
  }

  // What a shell runs that says its pid, waits in the kernel's function `waits_in` up to the end of its input, and then
  // ends with 1.
  struct Script {
    std::string text;
    std::string waits_in;
  };
  static Script Reads() { return {"read x; echo $$; read y", "pipe"}; }
  // The second open(2).
  static Script Opens() {
    return {"read x; rm -f f; mkfifo f; : <$0; exec 3<&0; echo $$; (read y <&3; : >f) & : <f; exit 1", "partner"};
  }

  // What gdb prints for the commands, attached to the shell while it waits.
  static std::string Attached(const std::vector<std::string>& options, const std::vector<std::string>& commands,
                              const Script& script = Reads()) {
    Guise& guise = Guise::Shared(OrdinaryUser());
    std::vector<std::string> arguments = {"run"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    for (const char* word : {"--", "dash", "-c", script.text.c_str(), "/usr/bin/dash"}) arguments.emplace_back(word);
    Command command = guise.Cli(arguments);
    command.keep_stdin_open = true;
    command.input = "first\n";
    const std::unique_ptr<Process> program = Process::Start(command);
    EXPECT_TRUE(program->AwaitOutput("\n")) << program->Wait();
    const std::string pid = program->out().substr(0, program->out().find('\n'));
    // The shell has said its last word before it reads.
    EXPECT_TRUE(Eventually([&] {
      return ReadFile("/proc/" + pid + "/wchan").find(script.waits_in) != std::string::npos;
    })) << script.text;

    const std::string tree = Stage::Get().prefix() + "/libexec/guise";
    Command gdb;
    gdb.argv = {"gdb", "-nx", "-batch", "-iex", "add-auto-load-safe-path " + tree, "-p", pid};
    for (const std::string& line : commands) gdb.argv.insert(gdb.argv.end(), {"-ex", line});
    gdb.env = BaseEnvironment("/tmp");
    const RunResult result = RunToEnd(gdb);
    program->CloseInput();
    EXPECT_EQ(program->Wait().exit_code, 1) << "the shell has not met an end of file";
    return result.out + result.err;
  }
};

TEST_F(DebuggerTest, UnwindsThroughACallThatWaits) {
  const std::vector<std::vector<std::string>> all = {
      {"--rewrite-after", "1"}, {"--mechanism", "sud"}, {"--place", "all=server"}, {"--personality", "fakeroot"}};
  for (const std::vector<std::string>& options : all) {
    const std::string shown = Attached(options, {"guise-symbols", "bt"});
    EXPECT_THAT(shown, HasSubstr("Guise: the guest's program is /usr/bin/dash")) << options[0];
    EXPECT_THAT(shown, ContainsRegex("#1 .*read")) << options[0] << " " << options[1];
    EXPECT_THAT(shown, HasSubstr("__libc_start_")) << options[0] << " " << options[1];
  }
}

TEST_F(DebuggerTest, UnwindsThroughACaughtCallThatMayBeRefused) {
  const std::string shown =
      Attached({"--mechanism", "sud", "--personality", "fakeroot"}, {"guise-symbols", "bt"}, Opens());
  EXPECT_THAT(shown, HasSubstr("guise_step_gate_called")) << shown;
  EXPECT_THAT(shown, ContainsRegex("#[0-9]+ .*open")) << shown;
  EXPECT_THAT(shown, HasSubstr("__libc_start_")) << shown;
}

TEST_F(DebuggerTest, UnwindsThroughACallThatMayBeRefused) {
  const std::string shown = Attached({"--rewrite-after", "1", "--personality", "fakeroot"},
                                     {"guise-symbols", "x/i $pc", "bt", "up", "x/s $rsi"}, Opens());
  EXPECT_THAT(shown, HasSubstr("guise_attempt_gate_called")) << shown;
  EXPECT_THAT(shown, ContainsRegex("#1 .*open")) << shown;
  EXPECT_THAT(shown, HasSubstr("__libc_start_")) << shown;
  EXPECT_THAT(shown, HasSubstr("\"f\"")) << shown;
}

TEST_F(DebuggerTest, ShowsTheSitesRegisters) {
  // read(2) of one byte from fd 0.
  const std::string shown = Attached({"--rewrite-after", "1"}, {"up", "p $rdi", "p $rdx"});
  EXPECT_THAT(shown, HasSubstr("$1 = 0\n$2 = 1\n")) << shown;
}

TEST_F(DebuggerTest, FindsLibrariesWithoutTheScript) {
  EXPECT_THAT(Attached({}, {"info sharedlibrary"}), HasSubstr("libc.so.6"));
}

}  // namespace
}  // namespace guise::tests
