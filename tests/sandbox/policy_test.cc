// Policies that cannot be, or that this host cannot enforce: what `guise policy` says, `guise run` does.
#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

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

// Puts a filter before a command, by which there is no Landlock.
constexpr char kWithoutLandlock[] =
    "import ctypes, os, struct, sys\n"
    // ABI: seccomp(2): number 444, landlock_create_ruleset, is ENOSYS; all else is allowed.
    "code = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (6, 0, 0, 0x50026), (6, 0, 0, 0x7fff0000)]\n"
    "code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *each) for each in code))\n"
    "filter = ctypes.create_string_buffer(struct.pack('H6xQ', 4, ctypes.addressof(code)))\n"
    "libc = ctypes.CDLL(None)\n"
    "assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter, 0, 0) == 0\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n";

// The same, by which root finds no cgroups.
constexpr char kWithoutCgroups[] = "mount -t tmpfs -o ro none /sys/fs/cgroup && exec \"$0\" \"$@\"";

class PolicyTest : public SandboxTest {
 protected:
  RunResult Behind(const std::vector<std::string>& wrapper, Command command) {
    command.argv.insert(command.argv.begin(), wrapper.begin(), wrapper.end());
    return RunToEnd(command);
  }
  RunResult Policy(const std::vector<std::string>& wrapper, const std::string& what,
                   const std::vector<std::string>& options) {
    std::vector<std::string> words = {"policy", what};
    words.insert(words.end(), options.begin(), options.end());
    return Behind(wrapper, guise_->Cli(words));
  }
  std::string Write(const std::string& text) {
    WriteFile(directory_ + "/policy", text, 0644);
    return directory_ + "/policy";
  }
  void ExpectRefused(const std::vector<std::string>& options, const std::string& words) {
    const RunResult result = Run(options, {"echo", "started"});
    EXPECT_EQ(result.exit_code, 125) << result;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr(words));
  }

  // Of a host without `line`, which is behind the wrapper.
  void ExpectPromised(const std::vector<std::string>& wrapper, const std::vector<std::string>& options,
                      const std::string& line) {
    const RunResult explained = Policy(wrapper, "explain", options);
    EXPECT_EQ(explained.exit_code, 0) << explained;
    EXPECT_THAT(explained.out, AllOf(HasSubstr(line), HasSubstr("NOT ENFORCED")));
    const RunResult checked = Policy(wrapper, "check", options);
    EXPECT_EQ(checked.exit_code, 1) << checked;
    EXPECT_THAT(checked.err, AllOf(HasSubstr(line), HasSubstr("--best-effort")));
    const RunResult refused = Behind(wrapper, Line(options, {"echo", "started"}));
    EXPECT_EQ(refused.exit_code, 125) << refused;
    EXPECT_EQ(refused.out, "");
    EXPECT_THAT(refused.err, AllOf(HasSubstr(line), HasSubstr("--best-effort")));
    std::vector<std::string> all = options;
    all.emplace_back("--best-effort");
    const RunResult best = Policy(wrapper, "check", all);
    EXPECT_EQ(best.exit_code, 0) << best;
    EXPECT_THAT(best.out, AllOf(HasSubstr("Not enforced: "), HasSubstr(line), Not(HasSubstr("can be enforced"))));
    const RunResult started = Behind(wrapper, Line(all, {"echo", "started"}));
    EXPECT_EQ(started.out, "started\n") << started;
    EXPECT_THAT(started.err, AllOf(HasSubstr("does not enforce here"), HasSubstr(line)));
  }
};

INSTANTIATE_TEST_SUITE_P(All, PolicyTest, testing::ValuesIn(Accounts()),
                         [](const testing::TestParamInfo<Account>& info) { return info.param.name; });

TEST_P(PolicyTest, DescriptorsArePromisedWithLandlockOnly) {
  ExpectPromised({"python3", "-c", kWithoutLandlock}, {}, "descriptors");
}

TEST_P(PolicyTest, ALimitOfProcessesThatWasAskedForIsAPromise) {
  if (GetParam().uid != 0) GTEST_SKIP() << "RLIMIT_NPROC binds users";
  const std::vector<std::string> wrapper = {"unshare", "-m", "sh", "-c", kWithoutCgroups};
  ExpectPromised(wrapper, {"--processes", "77"}, "--processes 77");
  ExpectPromised(wrapper, {"--preset", "strict"}, "--processes 256");
  ExpectPromised(wrapper, {"--policy", Write("processes: 78")}, "--processes 78");
}

TEST_P(PolicyTest, ADefaultLimitOfProcessesIsDoneWithoutAndSaid) {
  if (GetParam().uid != 0) GTEST_SKIP() << "RLIMIT_NPROC binds users";
  const std::vector<std::string> wrapper = {"unshare", "-m", "sh", "-c", kWithoutCgroups};
  EXPECT_THAT(Policy(wrapper, "explain", {}).out,
              AllOf(HasSubstr("nobody asked for it"), HasSubstr("root is exempt"), Not(HasSubstr("NOT ENFORCED"))));
  const RunResult checked = Policy(wrapper, "check", {});
  EXPECT_EQ(checked.exit_code, 0) << checked;
  EXPECT_THAT(checked.out, HasSubstr("not asked for: --processes 4096"));
  // Standard error that is no terminal is the program's.
  const Command line = Line({}, {"echo", "started"});
  const RunResult started = Behind(wrapper, line);
  EXPECT_EQ(started.out, "started\n") << started;
  EXPECT_EQ(started.err, "");
  Command in_terminal = line;
  std::string words;
  for (const std::string& word : line.argv) words += "'" + word + "' ";
  in_terminal.argv = {"script", "-qec", words, "/dev/null"};
  EXPECT_THAT(Behind(wrapper, in_terminal).out,
              AllOf(HasSubstr("started"), HasSubstr("does not enforce here: --processes 4096")));
}

TEST_P(PolicyTest, AFloorWithoutNamespacesSaysWhatItDoesNotKeep) {
  const std::string policy = Write("floor: FLOOR_LANDLOCK");
  if (Policy({}, "check", {"--policy", policy, "--best-effort"}).exit_code != 0) GTEST_SKIP() << "no Landlock here";
  for (const char* const line : {"--tmp /tmp", "--hostname localhost", "other processes", "end"}) {
    ExpectPromised({}, {"--policy", policy}, line);
  }
  // What explain says of its own.
  const std::string secret = directory_ + "/secret";
  WriteFile(secret, "told", 0644);
  const RunResult shown = Run({"--policy", policy, "--best-effort", "--hide", secret, "--no-shim"},
                              {"sh", "-c", "stat -c %s \"$0\"; cat \"$0\"; ls /", secret});
  EXPECT_EQ(shown.out, "4\n") << shown;
  EXPECT_THAT(shown.err, AllOf(HasSubstr("secret"),
                               HasSubstr("Permission denied\nls: cannot open directory '/': Permission denied")));
}

TEST_P(PolicyTest, AFloorWithoutNamespacesTellsNoNamesOfWhatItHides) {
  const std::string policy = Write("floor: FLOOR_LANDLOCK");
  if (Policy({}, "check", {"--policy", policy, "--best-effort"}).exit_code != 0) GTEST_SKIP() << "no Landlock here";
  const std::string hidden = directory_ + "/hidden";
  ASSERT_EQ(mkdir(hidden.c_str(), 0755), 0);
  // ABI: inotify(7): 0x100 is IN_CREATE.
  constexpr char kWatch[] =
      "import ctypes, sys\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "print(libc.inotify_add_watch(libc.inotify_init(), sys.argv[1].encode(), 0x100), ctypes.get_errno())\n";
  for (const bool has_shim : {true, false}) {
    std::vector<std::string> options = {"--policy", policy, "--best-effort", "--hide", hidden};
    if (!has_shim) options.emplace_back("--no-shim");
    const RunResult watched = Run(options, {"python3", "-c", kWatch, hidden});
    EXPECT_EQ(watched.out, "-1 " + std::to_string(EACCES) + "\n") << watched;
  }
}

TEST_P(PolicyTest, AFloorWithoutNamespacesLeavesNoCapabilities) {
  const std::string policy = Write("floor: FLOOR_LANDLOCK");
  if (Policy({}, "check", {"--policy", policy, "--best-effort"}).exit_code != 0) GTEST_SKIP() << "no Landlock here";
  if (Self().uid != 0) GTEST_SKIP() << "only root has capabilities to give or to lack";
  // Root of a container that lacks the one for locking others, and a user whose service has some.
  std::vector<std::string> wrapper = {"setpriv", "--inh-caps=-setpcap", "--bounding-set=-setpcap"};
  if (GetParam().uid != 0) {
    wrapper = {"setpriv",
               "--reuid=" + std::to_string(GetParam().uid),
               "--regid=" + std::to_string(GetParam().gid),
               "--clear-groups",
               "--inh-caps=+dac_override,+kill",
               "--ambient-caps=+dac_override,+kill"};
  }
  for (const bool has_shim : {true, false}) {
    std::vector<std::string> options = {"--policy", policy, "--best-effort"};
    if (!has_shim) options.emplace_back("--no-shim");
    Command command = Line(options, {"grep", "-E", "Cap(Inh|Prm|Eff|Amb)", "/proc/self/status"});
    command.account = Self();
    const RunResult result = Behind(wrapper, command);
    EXPECT_EQ(result.out,
              "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
              "CapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n")
        << result;
  }
}

TEST_P(PolicyTest, GuiseInitCountsAmongProcessesForEverybody) {
  if (Policy({}, "explain", {"--processes", "8"}).out.find("root is exempt") != std::string::npos) {
    GTEST_SKIP() << "no limit here";
  }
  const RunResult result =
      Run({"--processes", "8"}, {"sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & echo $i; done"});
  EXPECT_EQ(result.out, "1\n2\n3\n4\n5\n6\n") << result;
  ExpectRefused({"--processes", "1"}, "not in range 2 to");
}

TEST_P(PolicyTest, NamesTheLineThatIsWrong) {
  const std::string policy = Write("{\n\"netwrk\": 1}");
  const std::string at = "policy " + policy + ", line ";
  ExpectRefused({"--policy", policy}, at + "2, column 1: ");
  Write("{\n\"network\": \"NETWORK_NONE\"\n\"processes\": 9}");
  ExpectRefused({"--policy", policy}, at + "3, column 1: a comma or } is expected");
  Write("preset: \"strict\"\nhostname: \"a b\"");
  ExpectRefused({"--policy", policy}, at + "2: hostname \"a b\"");
  Write("hostname: \"a b\"\npaths { path: \"/none\" access: ACCESS_HIDDEN }");
  ExpectRefused({"--policy", policy, "--hostname", "cell"}, at + "2: path \"/none\"");
  const RunResult echo = RunToEnd(guise_->In(NativeWay(), {"which", "echo"}));
  Write("\npaths { path: \"" + echo.out.substr(0, echo.out.find('\n')) + "\" access: ACCESS_HIDDEN }");
  ExpectRefused({"--policy", policy}, at + "2: the policy hides the program itself");
  Write("\n\npaths { path: \"/lib64\" access: ACCESS_HIDDEN }");
  ExpectRefused({"--policy", policy}, at + "3: the policy hides what ");
  ExpectRefused({"--hide", "/lib64"}, "is interpreted by, /lib64/ld-linux-x86-64.so.2");
  ExpectRefused({"--policy", directory_}, "is a directory");
  ExpectRefused({"--policy", directory_ + "/none"}, "No such file");
}

TEST_P(PolicyTest, TheRootIsNoDirectoryToBuildIn) {
  Command command = Line({"--preset", "build"}, {"echo", "started"});
  command.cwd = "/";
  const RunResult result = RunToEnd(command);
  EXPECT_EQ(result.exit_code, 125) << result;
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("makes the working directory writable, which is /; go to"));
}

TEST_P(PolicyTest, AWorkingDirectoryWithoutANameIsNoRule) {
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

TEST_P(PolicyTest, RefusesPoliciesThatCannotBe) {
  ExpectRefused({"--ro", "/none"}, "path \"/none\": No such file or directory");
  ExpectRefused({"--hide", "/usr/bin/echo", "--hide", "/bin"}, "the policy hides the program itself");
  ExpectRefused({"--hide", "/"}, "path \"/\" can be ro or rw");
  ExpectRefused({"--hide", "/proc/cpuinfo"}, "a sandbox has a /proc of its own");
  ExpectRefused({"--rw", "/sys"}, "/sys is read-only in a sandbox");
  ExpectRefused({"--rw", "/dev/shm"}, "a sandbox has a /dev of its own");
  ExpectRefused({"--tmp", "/etc/passwd"}, "no directory");
  ExpectRefused({"--hostname", "a b"}, "hostname \"a b\"");
  ExpectRefused({"--preset", "loose"}, "loose");
  const std::string odd = directory_ + "/\xff";
  ASSERT_EQ(mkdir(odd.c_str(), 0755), 0);
  ExpectRefused({"--ro", odd}, "\\xff\" is not UTF-8");
  const auto policy = [&](const std::string& text) { return std::vector<std::string>{"--policy", Write(text)}; };
  ExpectRefused(policy("network: NETWORK_NONE\nnetwrk: 1\n"), "line 2, column");
  ExpectRefused(policy("{\"paths\": 1}"), "policy");
  ExpectRefused(policy("paths { path: \"etc\" access: ACCESS_HIDDEN }"), "\"etc\" is not absolute");
  ExpectRefused(policy("paths { path: \"/etc\" }"), "\"/etc\" has no access");
  const RunResult without = RunToEnd(guise_->Cli({"run", "--net", "none", "--", "echo", "started"}));
  EXPECT_THAT(without.err, HasSubstr("add --personality sandboxed"));
  const RunResult explained = RunToEnd(guise_->Cli({"policy", "explain", "--preset", "strict"}));
  EXPECT_THAT(explained.out, AllOf(HasSubstr("--hide /home"), HasSubstr("--net none"), HasSubstr("a seccomp filter")));
}

}  // namespace
}  // namespace guise::tests
