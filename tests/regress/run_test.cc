// What `guise run` passes through untouched: exit codes, signals, standard streams, the terminal with its job control.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "tests/support/guise.h"
#include "tests/support/pty.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::HasSubstr;

// Some program below the terminal waits in read(2) on its stdin; a shell that waits for it does not.
bool AwaitReader(const Terminal& terminal) {
  return Eventually([&] {
    for (const pid_t pid : Descendants(terminal.pid())) {
      if (ReadFile("/proc/" + std::to_string(pid) + "/syscall").rfind("0 0x0 ", 0) == 0) return true;
    }
    return false;
  });
}

class RunTest : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (!GetParam().native) GUISE_NEEDS_TREE();
    guise_ = GetParam().native ? &Guise::Native(OrdinaryUser()) : &Guise::Shared(OrdinaryUser());
  }

  Command In(const std::vector<std::string>& argv) const { return guise_->In(GetParam(), argv); }

  Guise* guise_ = nullptr;
};

TEST_P(RunTest, ExitCodesComeThrough) {
  for (const int code : {0, 1, 2, 42, 125, 126, 127, 128, 255}) {
    EXPECT_EQ(RunToEnd(In({"sh", "-c", "exit " + std::to_string(code)})).exit_code, code);
  }
}

TEST_P(RunTest, ASignalThatEndsTheProgramIs128AndItsNumber) {
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGSEGV, SIGTERM, SIGUSR1}) {
    const RunResult result = RunToEnd(In({"sh", "-c", "ulimit -c 0; kill -" + std::to_string(signal) + " $$"}));
    EXPECT_EQ(result.signal != 0 ? 128 + result.signal : result.exit_code, 128 + signal) << result;
  }
}

TEST_P(RunTest, LargeInputAndOutputComeThroughUnchanged) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += std::to_string(i * 7919) + "\n";
  Command command = In({"sh", "-c", "cat > all; cat all; cat all >&2; rm all"});
  command.input = text;
  const RunResult result = RunToEnd(command);
  EXPECT_TRUE(result.out == text) << result.out.size() << " of " << text.size();
  EXPECT_TRUE(result.err == text) << result.err.size() << " of " << text.size() << ": " << result.err.substr(0, 300);
}

TEST_P(RunTest, ProgramsStartWithClosedStandardStreams) {
  for (const std::vector<int>& closed : std::vector<std::vector<int>>{{0}, {1}, {2}, {0, 1}, {0, 1, 2}, {1, 2}}) {
    Command command =
        In({"sh", "-c", "for fd in 0 1 2; do test -e /proc/$$/fd/$fd && printf '%s ' $fd >> open; done; exit 7"});
    command.closed = closed;
    command.cwd = Stage::Get().MakeDirectory(guise_->account(), "closed");
    const RunResult result = RunToEnd(command);
    EXPECT_EQ(result.exit_code, 7) << result;
    std::string open;
    for (const int fd : {0, 1, 2}) {
      if (std::find(closed.begin(), closed.end(), fd) == closed.end()) open += std::to_string(fd) + " ";
    }
    EXPECT_EQ(ReadFile(command.cwd + "/open"), open) << "with " << closed.size() << " closed, first " << closed[0];
  }
}

TEST_P(RunTest, ArgumentsComeThroughUnchanged) {
  EXPECT_EQ(RunToEnd(In({"printf", "[%s]", "", "two words", "--", "-p", "a\nb", "\\", "*"})).out,
            "[][two words][--][-p][a\nb][\\][*]");
}

TEST_P(RunTest, TheEnvironmentComesThroughAndShowsNothingOfGuise) {
  Command command = In({"env"});
  command.env = {"A=1", "EMPTY=", "WEIRD=a=b c", "GUISE_RUNTIME_DIR=" + guise_->runtime_directory(),
                 "PATH=/usr/bin:/bin"};
  EXPECT_EQ(RunToEnd(command).out,
            "A=1\nEMPTY=\nWEIRD=a=b c\nGUISE_RUNTIME_DIR=" + guise_->runtime_directory() + "\nPATH=/usr/bin:/bin\n");
}

TEST_P(RunTest, WorkingDirectoryUmaskLimitsAndMaskAreTheCallers) {
  Command command;
  const Command inner =
      In({"sh", "-c", "pwd; umask; ulimit -n; ulimit -c; grep SigBlk /proc/self/status; cat /proc/self/oom_score_adj"});
  command = inner;
  std::string line = "umask 027; ulimit -n 64; ulimit -c 0; exec";
  for (const std::string& word : inner.argv) line += " '" + (word.find('\'') == std::string::npos ? word : word) + "'";
  command.argv = {"sh", "-c", line};
  const RunResult result = RunToEnd(command);
  EXPECT_THAT(result.out, testing::StartsWith(guise_->home() + "\n0027\n64\n0\nSigBlk:\t0000000000000000\n")) << result;
}

TEST_P(RunTest, SignalsReachTheProgram) {
  // Not in read(1): a shell that is about to wait for input when a signal comes goes on waiting.
  const std::unique_ptr<Process> program = Process::Start(
      In({"sh", "-c",
          "trap 'echo got term; exit 5' TERM; trap 'echo got usr1' USR1; echo up; while :; do sleep 0.05; done"}));
  ASSERT_TRUE(program->AwaitOutput("up\n")) << program->Wait();
  program->Signal(SIGUSR1);
  EXPECT_TRUE(program->AwaitOutput("got usr1\n"));
  program->Signal(SIGTERM);
  EXPECT_TRUE(program->AwaitOutput("got term\n"));
  EXPECT_EQ(program->Wait().exit_code, 5);
}

TEST_P(RunTest, IgnoredSignalsStayIgnored) {
  Command command = In({"sh", "-c", "kill -HUP $$; kill -USR2 $$; echo alive"});
  std::string line = "trap '' HUP USR2; exec";
  for (const std::string& word : command.argv) line += " '" + word + "'";
  command.argv = {"sh", "-c", line};
  EXPECT_EQ(RunToEnd(command).out, "alive\n");
}

TEST_P(RunTest, TheTerminalIsTheProgramsWithCtrlC) {
  // A sandbox has terminals of its own, and no name for this one.
  const std::string named = GetParam().name == SandboxedWay().name ? "" : "tty > /dev/null && ";
  const std::unique_ptr<Terminal> terminal = Terminal::Start(In(
      {"sh", "-c", named + "stty size; trap 'echo interrupted; exit 9' INT; echo up; while :; do sleep 0.05; done"}));
  ASSERT_TRUE(terminal->Await("24 200")) << terminal->screen();
  ASSERT_TRUE(terminal->Await("up")) << terminal->screen();
  terminal->Type("\x03");
  EXPECT_TRUE(terminal->Await("interrupted")) << terminal->screen();
  EXPECT_EQ(terminal->Wait(), 9) << terminal->screen();
}

TEST_P(RunTest, CtrlCEndsAProgramThatDoesNotHandleIt) {
  const std::unique_ptr<Terminal> terminal = Terminal::Start(In({"sh", "-c", "echo up; read -r x"}));
  ASSERT_TRUE(terminal->Await("up")) << terminal->screen();
  terminal->Type("\x03");
  EXPECT_EQ(terminal->Wait(), 128 + SIGINT) << terminal->screen();
}

TEST_P(RunTest, AnInteractiveBashInsideHasJobControl) {
  Command command = In({"bash", "--norc", "--noprofile", "-i"});
  command.env.push_back("PS1=ready> ");
  const std::unique_ptr<Terminal> terminal = Terminal::Start(command);
  ASSERT_TRUE(terminal->Await("ready> ")) << terminal->screen();
  terminal->Type("stty -echo\r");
  ASSERT_TRUE(terminal->Await("ready> ")) << terminal->screen();
  EXPECT_EQ(terminal->screen().find("no job control"), std::string::npos) << terminal->screen();
  // No child of its own: a stop between vfork and exec leaves the parent waiting, natively too.
  terminal->Type("sh -c 'trap \"echo continued\" CONT; echo started; while :; do read -r x; done'\r");
  ASSERT_TRUE(terminal->Await("started")) << terminal->screen();
  ASSERT_TRUE(AwaitReader(*terminal));
  terminal->Type("\x1a");
  ASSERT_TRUE(terminal->Await("Stopped")) << terminal->screen();
  ASSERT_TRUE(terminal->Await("ready> ")) << terminal->screen();
  terminal->Type("jobs\r");
  ASSERT_TRUE(terminal->Await("Stopped")) << terminal->screen();
  ASSERT_TRUE(terminal->Await("ready> ")) << terminal->screen();
  terminal->Type("fg\r");
  ASSERT_TRUE(terminal->Await("continued\r\n")) << terminal->screen();  // it has the terminal again
  terminal->Type("\x03");
  ASSERT_TRUE(terminal->Await("ready> ")) << terminal->screen();
  terminal->Type("echo last $?; exit 6\r");
  EXPECT_TRUE(terminal->Await("last 130")) << terminal->screen();
  EXPECT_EQ(terminal->Wait(), 6) << terminal->screen();
}

TEST_P(RunTest, AShellOutsideStopsAndContinuesTheWhole) {
  // The outer bash sees one job; ^Z stops guise and its guest, fg continues both.
  Command inner =
      In({"sh", "-c",
          "trap \"echo continued\" CONT; echo inside; until read -r line; do :; done; echo line $line; exit 3"});
  std::string words;
  for (const std::string& word : inner.argv) words += " '" + word + "'";
  Command command = inner;
  command.argv = {"bash", "--norc", "--noprofile", "-i"};
  command.env.push_back("PS1=ready> ");
  const std::unique_ptr<Terminal> terminal = Terminal::Start(command);
  ASSERT_TRUE(terminal->Await("ready> ")) << terminal->screen();
  terminal->Type("stty -echo\r");
  ASSERT_TRUE(terminal->Await("ready> ")) << terminal->screen();
  terminal->Type(words + "\r");
  ASSERT_TRUE(terminal->Await("inside")) << terminal->screen();
  ASSERT_TRUE(AwaitReader(*terminal));
  terminal->Type("\x1a");
  ASSERT_TRUE(terminal->Await("Stopped")) << terminal->screen();
  ASSERT_TRUE(terminal->Await("ready> ")) << terminal->screen();
  terminal->Type("fg\r");
  ASSERT_TRUE(terminal->Await("continued\r\n")) << terminal->screen();
  terminal->Type("typed\r");
  EXPECT_TRUE(terminal->Await("line typed")) << terminal->screen();
  ASSERT_TRUE(terminal->Await("ready> ")) << terminal->screen();
  terminal->Type("exit $?\r");
  EXPECT_EQ(terminal->Wait(), 3) << terminal->screen();
}

// Some of them have the numbers that the shim's own have in the lister.
TEST_P(RunTest, FdsOfProcessesOutsideAreAllListed) {
  if (GetParam().name == SandboxedWay().name) GTEST_SKIP() << "processes outside are not seen";
  Command outside = Guise::Native(OrdinaryUser())
                        .In(NativeWay(), {"python3", "-c",
                                          "import os, sys\n"
                                          "for fd in range(100, 1000): os.dup2(0, fd)\n"
                                          "print('up', flush=True)\n"
                                          "sys.stdin.read()\n"});
  outside.keep_stdin_open = true;
  const std::unique_ptr<Process> holder = Process::Start(outside);
  ASSERT_TRUE(holder->AwaitOutput("up\n")) << holder->Wait();
  const std::string place = "/proc/" + std::to_string(holder->pid());
  for (const char* const list : {"/fd", "/fdinfo"}) {
    const RunResult result = RunToEnd(In({"sh", "-c", "ls " + place + list + " | grep -c ..."}));
    EXPECT_EQ(result.out, "900\n") << list << result;
  }
  holder->CloseInput();
}

TEST_P(RunTest, AHundredProgramsAtOnce) {
  std::vector<std::unique_ptr<Process>> programs;
  for (int i = 0; i < 100; ++i)
    programs.push_back(Process::Start(In({"sh", "-c", "id -u > /dev/null; exit " + std::to_string(i)})));
  for (int i = 0; i < 100; ++i) {
    const RunResult result = programs[static_cast<std::size_t>(i)]->Wait();
    EXPECT_EQ(result.exit_code, i) << result;
  }
}

TEST_P(RunTest, AHundredProcessesInOneSession) {
  const RunResult result = RunToEnd(In({"sh", "-c", "for i in $(seq 100); do (sleep 0.2; echo $i) & done; wait"}));
  EXPECT_TRUE(result.ok()) << result;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 100);
}

std::vector<Way> AllWays() {
  std::vector<Way> ways = Ways();
  ways.push_back(SandboxedWay());
  return ways;
}

INSTANTIATE_TEST_SUITE_P(Ways, RunTest, testing::ValuesIn(AllWays()),
                         [](const testing::TestParamInfo<Way>& info) { return info.param.name; });

// What only Guise can do.
// The server takes a second to start, in which signals come to the launcher's group as from a terminal.
class SlowStartTest : public testing::Test {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = std::make_unique<Guise>(OrdinaryUser());
    directory_ = Stage::Get().MakeDirectory(OrdinaryUser(), "slow");
    const std::string server = directory_ + "/guised";
    WriteFile(
        server,
        "#!/bin/sh\n: > '" + directory_ + "/starts'\nsleep 1\nexec '" + Stage::Get().prefix() + "/bin/guised' \"$@\"\n",
        0755);
    ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
    Command command = guise_->Cli({"run", "--", "sh", "-c", "exit 7"});
    command.env.push_back("GUISE_SERVER_PATH=" + server);
    launcher_ = Process::Start(command);
    ASSERT_TRUE(Eventually([&] { return access((directory_ + "/starts").c_str(), F_OK) == 0; }));
  }
  void TearDown() override {
    launcher_.reset();
    if (guise_ != nullptr) guise_->StopServer();
    if (!directory_.empty()) RemoveTree(directory_);
  }
  void Press(int signal) const { kill(-launcher_->pid(), signal); }

  std::unique_ptr<Guise> guise_;
  std::string directory_;
  std::unique_ptr<Process> launcher_;
};

TEST_F(SlowStartTest, CtrlCEndsItWithoutAWord) {
  Press(SIGINT);
  const RunResult result = launcher_->Wait();
  EXPECT_EQ(result.signal, SIGINT) << result;
  EXPECT_EQ(result.err, "");
}

TEST_F(SlowStartTest, CtrlZStopsItUntilItIsContinued) {
  Press(SIGTSTP);
  siginfo_t info = {};
  EXPECT_TRUE(Eventually(
      [&] {
        return waitid(P_PID, static_cast<id_t>(launcher_->pid()), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid != 0;
      },
      15));
  Press(SIGCONT);
  const RunResult result = launcher_->Wait();
  EXPECT_EQ(result.exit_code, 7) << result;
  EXPECT_EQ(result.err, "");
}

class ExecTest : public testing::Test {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = &Guise::Shared(OrdinaryUser());
  }
  Guise* guise_ = nullptr;
};

TEST_F(ExecTest, JoinsTheSessionWithItsOwnersAndStack) {
  Command command = guise_->Cli({"run", "--personality", "fakeroot", "--name", "joined", "--", "sh", "-c",
                                 "touch shared; chown 8:9 shared; echo up; read x"});
  command.keep_stdin_open = true;
  const std::unique_ptr<Process> program = Process::Start(command);
  ASSERT_TRUE(program->AwaitOutput("up\n")) << program->Wait();
  const RunResult joined =
      RunToEnd(guise_->Cli({"exec", "joined", "--", "sh", "-c", "id -u; stat -c %u:%g shared; exit 4"}));
  EXPECT_EQ(joined.out, "0\n8:9\n") << joined;
  EXPECT_EQ(joined.exit_code, 4);
  program->Write("\n");
  program->CloseInput();
  EXPECT_TRUE(program->Wait().ok());
}

TEST_F(ExecTest, TheServerHoldsNoStreamOfWhoeverStartedIt) {
  Guise fresh(OrdinaryUser());
  const RunResult started = RunToEnd(fresh.In(LinuxWay(), {"echo", "done"}));  // waits for the end of the streams
  EXPECT_EQ(started.out, "done\n") << started;
  EXPECT_GT(fresh.ServerPid(), 0);
  EXPECT_TRUE(fresh.StopServer().ok());
}

}  // namespace
}  // namespace guise::tests
