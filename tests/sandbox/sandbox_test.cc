// Sessions under `sandboxed`: what they show, what has to go on working, and policies that cannot be. Attempts to get
// out are in escape_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <sstream>
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

TEST_P(SandboxTest, TheLastRuleThatMatchesDecides) {
  ASSERT_EQ(mkdir((directory_ + "/a").c_str(), 0755), 0);
  WriteFile(directory_ + "/a/f", "told", 0644);
  const std::vector<std::string> cat = {"sh", "-c", "cat a/f 2>/dev/null || echo hidden"};
  EXPECT_EQ(Run({}, cat).out, "told");
  EXPECT_EQ(Run({"--hide", directory_ + "/a"}, cat).out, "hidden\n");
  EXPECT_EQ(Run({"--hide", directory_ + "/a", "--ro", directory_ + "/a/f"}, cat).out, "told");
  EXPECT_EQ(Run({"--ro", directory_ + "/a/f", "--hide", directory_ + "/a"}, cat).out, "hidden\n");
  EXPECT_EQ(Run({"--hide", directory_ + "/a/f"}, cat).out, "hidden\n");
  const std::vector<std::string> touch = {"sh", "-c", "touch a/new 2>/dev/null || echo read-only"};
  ASSERT_EQ(chmod((directory_ + "/a").c_str(), 0777), 0);
  EXPECT_EQ(Run({"--rw", directory_ + "/a", "--ro", "/"}, touch).out, "read-only\n");
}

TEST_P(SandboxTest, WhatIsHiddenIsNotThere) {
  ASSERT_EQ(mkdir((directory_ + "/d").c_str(), 0755), 0);
  ASSERT_EQ(mkdir((directory_ + "/way").c_str(), 0755), 0);
  ASSERT_EQ(mkdir((directory_ + "/way/shown").c_str(), 0755), 0);
  WriteFile(directory_ + "/f", "secret", 0644);
  ASSERT_EQ(symlink("f", (directory_ + "/link").c_str()), 0);
  const std::vector<std::string> options = {"--hide", directory_ + "/d",   "--hide", directory_ + "/f",
                                            "--hide", directory_ + "/way", "--ro",   directory_ + "/way/shown"};
  const std::string script =
      "ls; cat link; for p in d f d/x; do test -e $p && echo there: $p; cat $p; (cd $p); chmod 700 $p; mv $p g; ./$p;"
      " stat -L $p; done; ls -l f; readlink link; ls way; cd way/shown && pwd -P;"
      "ls /proc | grep -x kcore; cat /proc/kcore; cat /proc/uptime > /dev/null && echo quiet";
  for (const char* const stack : {"sandboxed", "fakeroot,sandboxed"}) {
    stack_ = stack;
    const RunResult result = Run(options, {"sh", "-c", script});
    EXPECT_EQ(result.out, "link\nway\nf\nshown\n" + directory_ + "/way/shown\nquiet\n") << result;
    std::istringstream lines(result.err);
    int absent = 0;
    for (std::string line; std::getline(lines, line); ++absent) {
      EXPECT_THAT(line, testing::AnyOf(HasSubstr("No such file"), HasSubstr("can't cd"), HasSubstr("not found")));
    }
    EXPECT_EQ(absent, 3 * 6 + 3);
  }
}

TEST_P(SandboxTest, CallsTellNothingApartThatIsHiddenAndThatIsNotThere) {
  std::vector<std::string> options = {"--rw", directory_ + "/rw"};
  for (const char* const name : {"/rw", "/ro"}) {
    const std::string place = directory_ + name;
    for (const char* const made : {"", "/hd"}) ASSERT_EQ(mkdir((place + made).c_str(), 0777), 0);
    for (const char* const made : {"/hf", "/hd/x", "/vis"}) WriteFile(place + made, "", 0755);
    for (const auto& [link, text] : {std::pair{"/lhf", "hf"},
                                     {"/lhd", "hd"},
                                     {"/lhx", "hf/x"},
                                     {"/laf", "af"},
                                     {"/lad", "ad"},
                                     {"/lax", "af/x"}}) {
      ASSERT_EQ(symlink(text, (place + link).c_str()), 0);
    }
    WriteFile(place + "/sh", "#!" + place + "/hf\n", 0755);
    WriteFile(place + "/sa", "#!" + place + "/af\n", 0755);
    for (const char* const hidden : {"/hf", "/hd"}) options.insert(options.end(), {"--hide", place + hidden});
    for (const char* const owned : {"", "/vis", "/lhf", "/lhd", "/lhx", "/laf", "/lad", "/lax"}) {
      ASSERT_EQ(lchown((place + owned).c_str(), GetParam().uid, GetParam().gid), 0);
    }
  }
  for (const char* const stack : {"sandboxed", "fakeroot,sandboxed"}) {
    stack_ = stack;
    for (const std::vector<std::string>& sites :
         std::vector<std::vector<std::string>>{{}, {"--rewrite-after", "1"}, {"--mechanism", "sud"}}) {
      for (const char* const variant : {"static", "dynamic"}) {
        const std::string guest = Stage::Get().Guest(std::string("tests/sandbox/hidden_") + variant + ".elf");
        std::vector<std::string> all = options;
        all.insert(all.end(), sites.begin(), sites.end());
        all.insert(all.end(), {"--ro", DirectoryOf(guest)});
        const RunResult result = Run(all, {guest, directory_ + "/ro", directory_ + "/rw"});
        EXPECT_EQ(result.exit_code, 0) << stack << " " << variant << " " << result;
      }
    }
  }
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

// As real root sees it, who copies them into an image.
TEST_P(SandboxTest, TheHostsFilesAreRootsBeneathFakeroot) {
  stack_ = "fakeroot,sandboxed";
  const RunResult result =
      Run({"--rw", directory_}, {"sh", "-c",
                                 "stat -c %u:%g /bin/true /etc/passwd; cp -a /bin/true copy; stat -c %u:%g copy; "
                                 "chown 5:6 copy; stat -c %u:%g copy; rm copy"});
  EXPECT_EQ(result.out, "0:0\n0:0\n0:0\n5:6\n") << result;
}

TEST_P(SandboxTest, RulesBelowAWritablePathStayInTheirPlace) {
  for (const char* const made : {"", "/a", "/a/b", "/a/b/kept"}) {
    ASSERT_TRUE(mkdir((directory_ + "/w" + made).c_str(), 0777) == 0);
    ASSERT_EQ(chmod((directory_ + "/w" + made).c_str(), 0777), 0);
  }
  const std::string kept = directory_ + "/w/a/b/kept";
  const RunResult result = Run(
      {"--rw", directory_ + "/w", "--ro", kept},
      {"sh", "-c",
       "cd w; touch a/b/kept/new || echo read-only; mv a c || echo stays; mv a/b a/c || echo "
       "stays; rmdir a/b/kept || echo stays; touch a/new a/b/new && echo written; mv \"$0\" /tmp/gone || echo stays",
       DirectoryOf(directory_)});
  // /tmp is the guests' own, but not the way to what a rule names below it.
  EXPECT_EQ(result.out, "read-only\nstays\nstays\nstays\nwritten\nstays\n") << result;
  EXPECT_EQ(access(kept.c_str(), F_OK), 0);
  EXPECT_EQ(access((directory_ + "/w/a/b/new").c_str(), F_OK), 0);
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

TEST_P(SandboxTest, AWorkingDirectoryWithoutANameIsNoRule) {
  for (const std::string options : {"--rw .", "--rw below", "--preset build"}) {
    Command command = Line({}, {});
    const std::string guise = command.argv[0];
    std::string script = "mkdir gone && cd gone && rmdir ../gone && exec '";
    script.append(guise).append("' run --personality sandboxed ").append(options).append(" -- echo started");
    command.argv = {"sh", "-c", script};
    const RunResult result = RunToEnd(command);
    EXPECT_EQ(result.exit_code, 125) << options << result;
    EXPECT_EQ(result.out, "") << options;
    EXPECT_THAT(result.err, HasSubstr("no name any more")) << options;
  }
}

TEST_P(SandboxTest, RefusesPoliciesThatCannotBe) {
  const auto expect_refused = [&](const std::vector<std::string>& options, const std::string& words) {
    const RunResult result = Run(options, {"echo", "started"});
    EXPECT_EQ(result.exit_code, 125) << result;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr(words));
  };
  expect_refused({"--ro", "/none"}, "path \"/none\": No such file or directory");
  expect_refused({"--hide", "/usr/bin/echo", "--hide", "/bin"}, "the policy hides the program itself");
  expect_refused({"--hide", "/"}, "path \"/\" can be ro or rw");
  expect_refused({"--hide", "/proc/cpuinfo"}, "a sandbox has a /proc of its own");
  expect_refused({"--rw", "/sys"}, "/sys is read-only in a sandbox");
  expect_refused({"--rw", "/dev/shm"}, "a sandbox has a /dev of its own");
  expect_refused({"--tmp", "/etc/passwd"}, "no directory");
  expect_refused({"--hostname", "a b"}, "hostname \"a b\"");
  expect_refused({"--preset", "loose"}, "loose");
  const std::string odd = directory_ + "/\xff";
  ASSERT_EQ(mkdir(odd.c_str(), 0755), 0);
  expect_refused({"--ro", odd}, "\\xff\" is not UTF-8");
  const auto policy = [&](const std::string& text) {
    WriteFile(directory_ + "/policy", text, 0644);
    return std::vector<std::string>{"--policy", directory_ + "/policy"};
  };
  expect_refused(policy("network: NETWORK_NONE\nnetwrk: 1\n"), "line 2, column");
  expect_refused(policy("{\"paths\": 1}"), "policy");
  expect_refused(policy("paths { path: \"etc\" access: ACCESS_HIDDEN }"), "\"etc\" is not absolute");
  expect_refused(policy("paths { path: \"/etc\" }"), "\"/etc\" has no access");
  const RunResult without = RunToEnd(guise_->Cli({"run", "--net", "none", "--", "echo", "started"}));
  EXPECT_THAT(without.err, HasSubstr("add --personality sandboxed"));
  const RunResult explained = RunToEnd(guise_->Cli({"policy", "explain", "--preset", "strict"}));
  EXPECT_THAT(explained.out, AllOf(HasSubstr("--hide /home"), HasSubstr("--net none"), HasSubstr("a seccomp filter")));
}

}  // namespace
}  // namespace guise::tests
