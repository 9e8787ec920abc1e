#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/differential.h"
#include "tests/support/json.h"
#include "tests/support/pty.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

Command Shell(const std::string& script) {
  Command command;
  command.argv = {"sh", "-c", script};
  command.env = BaseEnvironment("/tmp");
  return command;
}

TEST(ProcessTest, TakesDownOutputAndExitCode) {
  Command command = Shell("cat; echo oops >&2; exit 7");
  command.input = "hello\n";
  const RunResult result = RunToEnd(command);
  EXPECT_EQ(result.out, "hello\n");
  EXPECT_EQ(result.err, "oops\n");
  EXPECT_EQ(result.exit_code, 7);
}

TEST(ProcessTest, TellsASignalFromAnExitCode) {
  const RunResult result = RunToEnd(Shell("kill -9 $$"));
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_EQ(result.exit_code, -1);
}

TEST(ProcessTest, KillsAndDescribesWhatIsStuck) {
  Command command = Shell("sleep 1000 & wait");
  command.patience_seconds = 1;
  const RunResult result = RunToEnd(command);
  EXPECT_TRUE(result.timed_out);
  EXPECT_NE(result.stuck.find("sleep"), std::string::npos) << result.stuck;
}

TEST(ProcessTest, StartsWithClosedStdinAndStdout) {
  Command command = Shell("for fd in 0 1; do test -e /proc/$$/fd/$fd || echo $fd is closed >&2; done");
  command.closed = {0, 1};
  const RunResult result = RunToEnd(command);
  EXPECT_EQ(result.err, "0 is closed\n1 is closed\n");
}

TEST(ProcessTest, TalksToAProgram) {
  Command command = Shell("read a; echo got $a; read b; echo and $b");
  command.keep_stdin_open = true;
  const std::unique_ptr<Process> process = Process::Start(command);
  process->Write("one\n");
  ASSERT_TRUE(process->AwaitOutput("got one"));
  process->Write("two\n");
  process->CloseInput();
  EXPECT_TRUE(process->AwaitOutput("and two"));
  EXPECT_TRUE(process->Wait().ok());
}

TEST(ProcessTest, AccountsAreTakenOnWholly) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  Command command = Shell("id -u; id -G");
  command.account = OrdinaryUser();
  const std::string expected = std::to_string(command.account.uid) + "\n" + std::to_string(command.account.gid) + "\n";
  EXPECT_EQ(RunToEnd(command).out, expected);
}

TEST(TerminalTest, IsATerminalForTheProgram) {
  const std::unique_ptr<Terminal> terminal = Terminal::Start(Shell("tty >/dev/null && echo is; read x; echo [$x]"));
  ASSERT_TRUE(terminal->Await("is"));
  terminal->Type("words\r");
  EXPECT_TRUE(terminal->Await("[words]"));
  EXPECT_EQ(terminal->Wait(), 0);
}

TEST(StageTest, CanBeReachedByEverybody) {
  const std::string home = Stage::Get().MakeDirectory(OrdinaryUser(), "home");
  WriteFile(Stage::Get().root() + "/for all", "text\n");
  Command command = Shell("cat '../for all' && touch mine");
  command.cwd = home;
  command.account = OrdinaryUser();
  EXPECT_EQ(RunToEnd(command).out, "text\n");
  EXPECT_EQ(access((home + "/mine").c_str(), F_OK), 0);
}

TEST(FileTreeTest, SeesEveryKindOfDifference) {
  const std::string base = Stage::Get().MakeDirectory(Self(), "tree");
  const auto make = [&](const std::string& script) {
    Command command = Shell("rm -rf t; mkdir t; cd t; " + script);
    command.cwd = base;
    EXPECT_TRUE(RunToEnd(command).ok());
    return Snapshot(base + "/t");
  };
  const FileTree tree = make("echo a > f; ln -s f l; mkdir d; touch 'd/with space'");
  EXPECT_EQ(tree.size(), 5u);
  EXPECT_TRUE(Differences(tree, make("echo a > f; ln -s f l; mkdir d; touch 'd/with space'")).empty());
  EXPECT_EQ(Differences(tree, make("echo b > f; ln -s f l; mkdir d; touch 'd/with space'")).size(), 1u);
  EXPECT_EQ(Differences(tree, make("echo a > f; ln -s g l; mkdir d; touch 'd/with space'")).size(), 1u);
  EXPECT_EQ(Differences(tree, make("echo a > f; chmod 600 f; ln -s f l; mkdir d; touch 'd/with space'")).size(), 1u);
  EXPECT_EQ(Differences(tree, make("echo a > f; ln -s f l; mkdir d")).size(), 1u);
  EXPECT_EQ(Differences(tree, make("echo a > f; ln -s f l; mkdir d; touch 'd/with space' new")).size(), 1u);
}

TEST(FileTreeTest, LeavesOutWhatVariesByItself) {
  const FileTree one = {{"f", {0100644, 1, 0, 0, 0, "a"}}, {"tmp1", {0100644, 0, 0, 0, 0, ""}}};
  const FileTree two = {{"f", {0100644, 1, 0, 0, 0, "b"}}, {"tmp2", {0100644, 0, 0, 0, 0, ""}}};
  const FileTree three = {{"f", {0100644, 1, 0, 0, 0, "c"}}, {"tmp3", {0100644, 0, 0, 0, 0, ""}}};
  EXPECT_TRUE(DifferencesBeyond(one, two, three).empty());
  EXPECT_FALSE(DifferencesBeyond(one, one, three).empty());
}

TEST(DifferentialTest, FindsOutputExitCodeAndFilesThatDiffer) {
  Guise guise(Self());
  const auto observe = [&](const std::string& script) { return Observe(Script("x", script), guise, NativeWay()); };
  const Observation native = observe("echo a; echo $$");
  const Observation again = observe("echo a; echo $$");
  EXPECT_TRUE(Compare(native, again, observe("echo a; echo $$")).empty());
  EXPECT_FALSE(Compare(native, again, observe("echo b; echo $$")).empty());
  EXPECT_FALSE(Compare(native, again, observe("echo a; echo $$; echo more")).empty());
  EXPECT_FALSE(Compare(native, again, observe("echo a; echo $$; exit 3")).empty());
  EXPECT_FALSE(Compare(native, again, observe("echo a; echo $$; touch f")).empty());
}

TEST(JsonTest, ReadsNestedValuesAndNumbersInStrings) {
  const std::optional<Json> json = ParseJson(R"({"a": [1, {"b": "12345678901"}], "c\n": true, "d": null})");
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ((*json)["a"].items[1]["b"].Number(), 12345678901);
  EXPECT_EQ((*json)["c\n"].text, "true");
  EXPECT_FALSE(ParseJson("{\"a\": }").has_value());
  EXPECT_FALSE(ParseJson("{} extra").has_value());
}

}  // namespace
}  // namespace guise::tests
