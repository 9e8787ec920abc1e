// Sessions under `sandboxed`: attempts to get out, with the shim and around it, judged by what is seen outside; what
// has to go on working; and policies that cannot be.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <sstream>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Listens on the host's loopback, and by an abstract name.
class Listeners {
 public:
  Listeners()
      : tcp_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        abstract_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(tcp_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(tcp_, 16), 0);
    EXPECT_EQ(getsockname(tcp_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = std::to_string(ntohs(address.sin_port));
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    const std::string text = "guise-test-" + port_;
    text.copy(name.sun_path + 1, sizeof(name.sun_path) - 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    EXPECT_EQ(bind(abstract_, reinterpret_cast<sockaddr*>(&name), length), 0);
    EXPECT_EQ(listen(abstract_, 16), 0);
  }
  ~Listeners() {
    close(tcp_);
    close(abstract_);
  }
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  const std::string& port() const { return port_; }

 private:
  int tcp_, abstract_;
  std::string port_;
};

class SandboxTest : public testing::TestWithParam<Account> {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = &Guise::Shared(GetParam());
    directory_ = Stage::Get().MakeDirectory(GetParam(), "sandbox");
    const RunResult probe = Run({}, {"true"});
    if (probe.exit_code == 125 && probe.err.find("namespaces of a sandbox") != std::string::npos) {
      GTEST_SKIP() << "no namespaces here: " << probe.err;
    }
  }
  void TearDown() override { RemoveTree(directory_); }

  RunResult Run(const std::vector<std::string>& options, const std::vector<std::string>& argv,
                const std::vector<std::string>& environment = {}, const std::string& input = "") {
    return RunToEnd(Line(options, argv, environment, input));
  }

  Command Line(const std::vector<std::string>& options, const std::vector<std::string>& argv,
               const std::vector<std::string>& environment = {}, const std::string& input = "") {
    std::vector<std::string> words = {"run", "--personality", stack_, "--ro", directory_};
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("--");
    words.insert(words.end(), argv.begin(), argv.end());
    Command command = guise_->Cli(words);
    command.cwd = directory_;
    command.input = input;
    command.env.insert(command.env.end(), environment.begin(), environment.end());
    return command;
  }

  Guise* guise_ = nullptr;
  std::string stack_ = "sandboxed";
  std::string directory_;
};

INSTANTIATE_TEST_SUITE_P(All, SandboxTest, testing::ValuesIn(Accounts()),
                         [](const testing::TestParamInfo<Account>& info) { return info.param.name; });

class EscapeTest : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    if (IsSkipped()) return;
    hidden_ = directory_ + "/hidden";
    secret_ = hidden_ + "/secret";
    victim_ = directory_ + "/victim";
    ASSERT_EQ(mkdir(hidden_.c_str(), 0755), 0);
    WriteFile(secret_, "secret", 0644);
    WriteFile(victim_, "victim", 0644);
    for (const std::string& path : {hidden_, secret_, victim_}) {
      ASSERT_EQ(chown(path.c_str(), GetParam().uid, GetParam().gid), 0);
    }
    guest_ = Stage::Get().Guest("tests/sandbox/escapes_static.elf");
  }

  // The attempts, in a shell that has the victim as its standard input, and the secret open.
  RunResult Attempt(const std::vector<std::string>& environment) {
    std::vector<std::string> all = {"SECRET=" + secret_, "HIDDEN=" + hidden_, "VICTIM=" + victim_,
                                    "OUTSIDE=" + std::to_string(getpid()), "PORT=" + listeners_.port()};
    all.insert(all.end(), environment.begin(), environment.end());
    Command command = Line({"--ro", DirectoryOf(guest_), "--hide", hidden_}, {guest_}, all);
    std::string line = "trap 'echo the shell outside is hit' USR2;";
    for (const std::string& word : command.argv) line += " '" + word + "'";
    command.argv = {"sh", "-c", line + " < '" + victim_ + "' 5< '" + secret_ + "'"};
    return RunToEnd(command);
  }

  void ExpectHeld(const RunResult& result) {
    EXPECT_EQ(result.exit_code, 0) << result;
    std::istringstream lines(result.out);
    int attempts = 0;
    int controls = 0;
    for (std::string name, outcome; lines >> name >> outcome;) {
      const bool control = name.rfind("Control", 0) == 0;
      EXPECT_EQ(outcome, control ? "out" : "held") << name;
      (control ? controls : attempts) += 1;
    }
    EXPECT_GE(attempts, 60) << result;
    EXPECT_EQ(controls, 4);
    EXPECT_EQ(ReadFile(victim_), "victim");
    EXPECT_EQ(ReadFile(secret_), "secret");
    EXPECT_THAT(result.out, Not(HasSubstr("secret")));
    EXPECT_NE(access((hidden_ + "/new").c_str(), F_OK), 0);
  }

  Listeners listeners_;
  std::string hidden_, secret_, victim_, guest_;
};

INSTANTIATE_TEST_SUITE_P(All, EscapeTest, testing::ValuesIn(Accounts()),
                         [](const testing::TestParamInfo<Account>& info) { return info.param.name; });

TEST_P(EscapeTest, AreHeldWithTheShim) { ExpectHeld(Attempt({})); }

TEST_P(EscapeTest, AreHeldAroundTheShim) { ExpectHeld(Attempt({"GADGET=1"})); }

TEST_P(EscapeTest, AreRealWithoutASandbox) {
  if (GetParam().uid == 0) GTEST_SKIP() << "root's attempts would change this host";
  Command command = guise_->In(NativeWay(), {guest_});
  command.cwd = directory_;
  for (const std::string& variable : {"SECRET=" + secret_, "HIDDEN=" + hidden_, "VICTIM=" + victim_,
                                      "OUTSIDE=" + std::to_string(getpid()), "PORT=" + listeners_.port()}) {
    command.env.push_back(variable);
  }
  const RunResult result = RunToEnd(command);
  for (const char* name : {"ReadSecret", "WriteVictim", "SecretByDots", "ListHidden", "SeeOutside", "Connect",
                           "ConnectAbstract", "UserNamespace"}) {
    EXPECT_THAT(result.out, HasSubstr(std::string(name) + " out\n"));
  }
}

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

TEST_P(SandboxTest, LimitsTheNumberOfProcesses) {
  if (GetParam().uid == 0) {
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
