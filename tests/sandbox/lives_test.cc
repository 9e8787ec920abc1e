// How sandboxed sessions and their guests begin and end, and how they are reached while they live.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/sandbox/sandboxed.h"
#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST_P(SandboxTest, ALauncherThatIsEndedBeforeThereIsASessionLeavesNothingBehind) {
  const std::string policy = directory_ + "/policy";
  WriteFile(policy, "floor: FLOOR_LANDLOCK\n", 0644);
  ASSERT_EQ(Run({}, {"true"}).exit_code, 0);
  const pid_t server = guise_->ServerPid();
  ASSERT_GT(server, 0);
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{}, std::vector<std::string>{"--policy", policy, "--best-effort"}}) {
    Command find = guise_->In(NativeWay(), {"find", "/tmp", "-maxdepth", "1", "-name", "guise-sandbox-*", "-user",
                                            std::to_string(GetParam().uid)});
    const std::string before = RunToEnd(find).out;
    kill(server, SIGSTOP);
    const std::unique_ptr<Process> launcher = Process::Start(Line(options, {"true"}));
    const std::string pid = std::to_string(launcher->pid());
    const std::string status = std::string("/proc/").append(pid).append("/status");
    const std::string children = std::string("/proc/").append(pid).append("/task/").append(pid).append("/children");
    // Its floor is being made once it has a child, and all signals blocked.
    const bool began = Eventually(
        [&] { return ReadFile(status).find("\nSigBlk:\tf") != std::string::npos && !ReadFile(children).empty(); }, 20);
    launcher->Signal(SIGTERM);
    kill(server, SIGCONT);
    const RunResult result = launcher->Wait();
    if (!began && result.err.find("nor Landlock") != std::string::npos) continue;
    EXPECT_TRUE(began);
    EXPECT_EQ(result.signal, SIGTERM) << result;
    EXPECT_EQ(RunToEnd(find).out, before);
    EXPECT_EQ(RunToEnd(guise_->In(NativeWay(), {"find", "/sys/fs/cgroup", "-name", "guise-" + pid})).out, "");
  }
}

TEST_P(SandboxTest, EndsAsItsProgramEnds) {
  EXPECT_EQ(Run({}, {"sh", "-c", "exit 7"}).exit_code, 7);
  EXPECT_EQ(Run({}, {"sh", "-c", "kill -9 $$"}).exit_code, 128 + SIGKILL);
  EXPECT_EQ(Run({}, {"/none"}).exit_code, 127);
  // And nobody outlives it.
  const RunResult result = Run({}, {"sh", "-c", "sleep 1000 & echo $!"});
  EXPECT_EQ(result.exit_code, 0) << result;
}

TEST_P(SandboxTest, SignalsReachItsProgram) {
  Command command =
      Line({"--name", "cell"}, {"sh", "-c", "trap 'echo told; exit 5' TERM; echo ready; while :; do sleep 0.1; done"});
  const std::unique_ptr<Process> process = Process::Start(command);
  ASSERT_TRUE(process->AwaitOutput("ready\n"));
  // Others see it by the host's numbers.
  const RunResult listed = RunToEnd(guise_->Cli({"ps", "--json"}));
  EXPECT_THAT(listed.out, HasSubstr("\"comm\": \"sh\""));
  const RunResult refused = RunToEnd(guise_->Cli({"switch", "cell", "linux"}));
  EXPECT_THAT(refused.err, AllOf(HasSubstr("'linux'"), HasSubstr("keep the layer sandboxed")));
  EXPECT_EQ(RunToEnd(guise_->Cli({"switch", "cell", "fakeroot,sandboxed"})).exit_code, 0);
  process->Signal(SIGTERM);
  const RunResult result = process->Wait();
  EXPECT_EQ(result.exit_code, 5) << result;
  EXPECT_THAT(result.out, HasSubstr("told\n"));
}

TEST_P(SandboxTest, ExecRunsInTheSandboxThatIsThere) {
  ASSERT_EQ(mkdir((directory_ + "/hidden").c_str(), 0755), 0);
  Command command = Line({"--name", "cell", "--hide", directory_ + "/hidden", "--hostname", "cell"},
                         {"sh", "-c", "echo told > /tmp/note; echo ready; cat"});
  command.keep_stdin_open = true;
  const std::unique_ptr<Process> process = Process::Start(command);
  ASSERT_TRUE(process->AwaitOutput("ready\n"));
  const auto exec = [&](const std::vector<std::string>& argv) {
    std::vector<std::string> words = {"exec", "cell", "--"};
    words.insert(words.end(), argv.begin(), argv.end());
    Command entering = guise_->Cli(words);
    entering.cwd = directory_;
    return RunToEnd(entering);
  };
  const RunResult entered = exec(
      {"sh", "-c",
       "pwd; cat /tmp/note; uname -n; ls -A; cat /proc/1/comm; grep -E '^(CapEff|CapBnd|NoNewPrivs|"
       "Seccomp):' /proc/self/status; touch new 2>/dev/null || echo read-only; kill -0 2 && echo reached; exit 7"});
  EXPECT_EQ(entered.exit_code, 7) << entered;
  EXPECT_EQ(entered.out,
            directory_ +
                "\ntold\ncell\nguise-init\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n"
                "Seccomp:\t2\nread-only\nreached\n")
      << entered;
  EXPECT_EQ(exec({"sh", "-c", "kill -9 $$"}).exit_code, 128 + SIGKILL);
  EXPECT_EQ(exec({"none"}).exit_code, 127);
  EXPECT_THAT(exec({directory_ + "/hidden/none"}).err, HasSubstr("No such file"));
  process->CloseInput();
  EXPECT_EQ(process->Wait().exit_code, 0);
}

TEST_P(SandboxTest, SaysThatItHasNoRoomForWhatExecStarts) {
  if (GetParam().uid != 0) GTEST_SKIP() << "as a user, whom the launcher brings in comes on top";
  const RunResult explained = RunToEnd(guise_->Cli({"policy", "explain", "--processes", "8"}));
  if (explained.out.find("root is exempt") != std::string::npos) GTEST_SKIP() << "no limit here";
  Command full = Line({"--name", "full", "--processes", "8"},
                      {"sh", "-c", "for i in 1 2 3 4 5 6; do sleep 1000 & done; echo ready; read end"});
  full.keep_stdin_open = true;
  const std::unique_ptr<Process> process = Process::Start(full);
  ASSERT_TRUE(process->AwaitOutput("ready\n"));
  const RunResult processes = RunToEnd(guise_->Cli({"exec", "full", "--", "true"}));
  EXPECT_EQ(processes.exit_code, 125) << processes;
  EXPECT_THAT(processes.err, HasSubstr("let the sandbox have more (--processes)"));
  process->CloseInput();
  process->Wait();
}

TEST_P(SandboxTest, GivesBackRecordsOfGuestsThatAreKilled) {
  Command command =
      Line({"--name", "pen"},
           {"sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & kill -9 $!; wait; done; echo ready; read word"});
  command.keep_stdin_open = true;
  const std::unique_ptr<Process> process = Process::Start(command);
  ASSERT_TRUE(process->AwaitOutput("ready\n"));
  EXPECT_TRUE(Eventually([&] {
    const RunResult listed = RunToEnd(guise_->Cli({"ps", "--json"}));
    return listed.out.find("\"comm\": \"sleep\"") == std::string::npos &&
           listed.out.find("\"pen\"") != std::string::npos;
  }));
  process->CloseInput();
  process->Wait();
  EXPECT_TRUE(Eventually([&] {
    return RunToEnd(guise_->Cli({"ps", "--json"})).out.find("\"pen\"") == std::string::npos;
  }));
}

}  // namespace
}  // namespace guise::tests
