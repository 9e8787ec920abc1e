// Sessions under `sandboxed`: what they show, and what is out of their reach. Attempts to get out are in
// escape_test.cc.
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
using testing::Not;

INSTANTIATE_TEST_SUITE_P(All, SandboxTest, testing::ValuesIn(Accounts()),
                         [](const testing::TestParamInfo<Account>& info) { return info.param.name; });

TEST_P(SandboxTest, ShowsWhatItsPolicySays) {
  WriteFile(directory_ + "/readable", "", 0644);
  ASSERT_EQ(mkdir((directory_ + "/writable").c_str(), 0777), 0);
  ASSERT_EQ(chmod((directory_ + "/writable").c_str(), 0777), 0);
  const RunResult result =
      Run({"--rw", directory_ + "/writable", "--hostname", "cell", "--net", "loopback"},
          {"sh", "-c",
           "pwd; uname -n; touch readable 2>/dev/null || echo read-only; touch writable/made && echo written;"
           "ls -A /home /tmp | grep -c . ; cat /proc/sys/kernel/hostname; ls /proc | grep -c '^[0-9]';"
           "cat /proc/net/dev | grep -c lo:; id -u"});
  EXPECT_EQ(result.out.substr(0, directory_.size()), directory_);
  EXPECT_THAT(result.out, HasSubstr("\ncell\nread-only\nwritten\n"));
  EXPECT_THAT(result.out, HasSubstr("\ncell\n"));
  EXPECT_THAT(result.out, HasSubstr("\n" + std::to_string(GetParam().uid) + "\n"));
  EXPECT_EQ(access((directory_ + "/writable/made").c_str(), F_OK), 0);
}

TEST_P(SandboxTest, ProcessOneDoesNotTellWhatIsHidden) {
  const std::string secret = directory_ + "/secret";
  WriteFile(secret, "", 0644);
  const RunResult result = Run({"--hide", secret}, {"sh", "-c", "tr '\\0' '\\n' < /proc/1/cmdline | grep ."});
  EXPECT_EQ(result.out, "guise-init\n") << result;
}

TEST_P(SandboxTest, AFileGivenToBeReadKeepsItsModeAndIsReadOnBehindTheSandbox) {
  const std::string file = directory_ + "/file";
  for (const char* const access : {"--ro", "--hide"}) {
    WriteFile(file, "first\nsecond\n", 0644);
    ASSERT_EQ(chown(file.c_str(), GetParam().uid, GetParam().gid), 0);
    Command command = Line({access, file}, {"sh", "-c",
                                            "read line; echo $line; readlink /proc/self/fd/0;"
                                            "chmod 600 /dev/stdin 2>&1; wc -l < /dev/stdin"});
    std::string line = "{";
    for (const std::string& word : command.argv) line += " '" + word + "'";
    line.append("; cat; } < '").append(file).append("'");
    command.argv = {"sh", "-c", line};
    const RunResult result = RunToEnd(command);
    EXPECT_EQ(result.out,
              "first\n" + file + "\nchmod: changing permissions of '/dev/stdin': Read-only file system\n2\nsecond\n")
        << result << access;
  }
}

TEST_P(SandboxTest, TheServerIsOutOfReach) {
  // Neither by a rule that shows its socket, nor by a process that the server has no record of.
  const std::string socket = guise_->runtime_directory() + "/control.sock";
  const std::string cli = guise_->Cli({}).argv[0];
  const std::string script = "test -e '" + socket + "' && echo shown; (('" + cli +
                             "' ps > out 2>&1; echo $? > code) &); " +
                             "while ! test -s code; do sleep 0.05; done; cat code out";
  ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
  const RunResult result = Run({"--rw", directory_, "--ro", DirectoryOf(cli), "--ro", socket}, {"sh", "-c", script});
  // Its own session would be there.
  EXPECT_THAT(result.out, AllOf(Not(HasSubstr("shown")), Not(HasSubstr("sandboxed")))) << result;
  EXPECT_EQ(result.exit_code, 0) << result;
}

TEST_P(SandboxTest, AnotherServerOfTheUserIsNoneOfItsBusiness) {
  const std::string runtime = directory_ + "/other";
  ASSERT_EQ(mkdir(runtime.c_str(), 0700), 0);
  ASSERT_EQ(chown(runtime.c_str(), GetParam().uid, GetParam().gid), 0);
  const std::string cli = guise_->Cli({}).argv[0];
  const std::string elsewhere = "GUISE_RUNTIME_DIR=" + runtime;
  Command held =
      guise_->In(NativeWay(), {"env", elsewhere, cli, "run", "--name", "other", "--", "sh", "-c", "echo ready; cat"});
  held.keep_stdin_open = true;
  const std::unique_ptr<Process> process = Process::Start(held);
  ASSERT_TRUE(process->AwaitOutput("ready\n"));
  // The policy shows its socket.
  const RunResult result = Run({"--ro", DirectoryOf(cli)}, {"env", elsewhere, cli, "ps"});
  EXPECT_THAT(result.out, Not(HasSubstr("other")));
  EXPECT_THAT(result.err, HasSubstr("pid namespace"));
  process->CloseInput();
  EXPECT_EQ(process->Wait().exit_code, 0);
}

TEST_P(SandboxTest, WithoutTheShimThereIsTheFloorAlone) {
  WriteFile(directory_ + "/f", "secret", 0644);
  const auto run = [&](const std::string& script) {
    return Run({"--no-shim", "--hide", directory_ + "/f"}, {"sh", "-c", script});
  };
  const RunResult result = run("ls; cat f; grep -c guise /proc/self/maps; env | grep GUISE_SHIM; uname -n; exit 7");
  EXPECT_EQ(result.out, "f\n0\nlocalhost\n") << result;
  EXPECT_THAT(result.err, HasSubstr("Permission denied"));
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(run("kill -9 $$").exit_code, 128 + SIGKILL);
  EXPECT_EQ(Run({"--no-shim"}, {"none"}).exit_code, 127);
  EXPECT_THAT(Run({"--no-shim", "--name", "x"}, {"true"}).err, HasSubstr("--no-shim leaves no session"));
  stack_ = "fakeroot,sandboxed";
  EXPECT_THAT(Run({"--no-shim"}, {"true"}).err, HasSubstr("--personality sandboxed"));
}

TEST_P(SandboxTest, ATerminalThatWasNotHandedOverIsOutOfReach) {
  const auto in_terminal = [&](const std::string& redirections) {
    Command command = Line({}, {"sh", "-c", "exec 3< /dev/tty && echo reached"});
    std::string line;
    for (const std::string& word : command.argv) line += "'" + word + "' ";
    command.argv = {"script", "-qec", line + redirections, "/dev/null"};
    return RunToEnd(command);
  };
  EXPECT_THAT(in_terminal("").out, HasSubstr("reached"));
  EXPECT_THAT(in_terminal("< /dev/null 2>&1 | cat").out,
              AllOf(HasSubstr("No such device or address"), Not(HasSubstr("reached"))));
}

TEST_P(SandboxTest, AGuestThatWritesOverItsMemoryHarmsNobodyElse) {
  const std::string guest = Stage::Get().Guest("tests/sandbox/scribble_static.elf");
  const RunResult result = Run({"--name", "pen", "--ro", DirectoryOf(guest)}, {guest});
  EXPECT_THAT(result.out, HasSubstr("scribbled"));
  EXPECT_EQ(result.err, "");
  // The server has not much to do with what it finds there.
  EXPECT_EQ(RunToEnd(guise_->Cli({"run", "--", "true"})).exit_code, 0);
  EXPECT_TRUE(Eventually([&] {
    return RunToEnd(guise_->Cli({"ps", "--json"})).out.find("\"pen\"") == std::string::npos;
  }));
}

TEST_P(SandboxTest, SaysThatTheHostRefusesNamespaces) {
  if (GetParam().uid == 0) GTEST_SKIP() << "root's limits are this host's";
  Command command = Line({"--best-effort"}, {"echo", "started"});
  const std::vector<std::string> limited = {"unshare", "-r", "sh", "-c",
                                            "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$0\" \"$@\""};
  command.argv.insert(command.argv.begin(), limited.begin(), limited.end());
  const RunResult result = RunToEnd(command);
  EXPECT_EQ(result.exit_code, 125) << result;
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, AllOf(HasSubstr("cannot make the namespaces of a sandbox: No space left on device"),
                                HasSubstr("(max_*_namespaces) allow; raise them"), Not(HasSubstr("--best-effort"))));
}

TEST_P(SandboxTest, LimitsTheNumberOfProcesses) {
  const RunResult explained = RunToEnd(guise_->Cli({"policy", "explain", "--processes", "20"}));
  if (explained.out.find("root is exempt") != std::string::npos) {
    const RunResult refused = Run({"--processes", "20"}, {"true"});
    EXPECT_EQ(refused.exit_code, 125) << refused;
    EXPECT_THAT(refused.err, AllOf(HasSubstr("--processes 20"), HasSubstr("--best-effort")));
    EXPECT_EQ(Run({"--processes", "20", "--best-effort"}, {"true"}).exit_code, 0);
    return;
  }
  const RunResult result =
      Run({"--processes", "20"}, {"sh", "-c", "for i in $(seq 40); do sleep 1000 & done; echo made all"});
  EXPECT_THAT(result.out, Not(HasSubstr("made all"))) << result;
}

// What the floor's user namespace does not map is the kernel's EINVAL.
TEST_P(SandboxTest, OtherIdsAreRefusedAsToAnyUser) {
  const std::string script =
      "import errno, os\n"
      "open('f', 'w').close()\n"
      "file = os.open('f', os.O_RDONLY)\n"
      "def error(call, *ids):\n"
      "  try: call(*ids); return 'done'\n"
      "  except OSError as e: return errno.errorcode[e.errno]\n"
      "me, us = os.getuid(), os.getgid()\n"
      "print(error(os.chown, 'f', 5, 5), error(os.chown, 'f', -1, 5), error(os.lchown, 'f', 5, -1))\n"
      "print(error(os.fchown, file, 5, 5), error(os.chown, 'f', me, us), error(os.chown, 'none', 5, 5))\n"
      "print(error(os.setuid, 5), error(os.setgid, 5), error(os.setresuid, -1, 5, -1), error(os.setregid, 5, us))\n"
      "print(error(os.setuid, me), error(os.setresgid, us, us, us), error(os.setuid, 0xffffffff))\n";
  const RunResult result = Run({"--rw", directory_}, {"/usr/bin/python3", "-c", script});
  EXPECT_EQ(result.out, "EPERM EPERM EPERM\nEPERM done ENOENT\nEPERM EPERM EPERM EPERM\ndone done EINVAL\n") << result;
}

}  // namespace
}  // namespace guise::tests
