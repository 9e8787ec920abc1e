// The runtime directory: who may own it, what happens when it is full, and who listens there.
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

constexpr int kGuiseFailed = 125;

class RuntimeDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = std::make_unique<Guise>(OrdinaryUser());
  }

  Guise& guise() { return *guise_; }

  void MakeRuntimeDirectory(mode_t mode, const Account& owner) {
    ASSERT_EQ(mkdir(guise().runtime_directory().c_str(), 0700), 0);
    ASSERT_EQ(chmod(guise().runtime_directory().c_str(), mode), 0);
    if (geteuid() == 0) {
      ASSERT_EQ(chown(guise().runtime_directory().c_str(), owner.uid, owner.gid), 0);
    }
  }

  void ExpectRefused(const std::string& why) {
    const RunResult run = RunToEnd(guise().In(LinuxWay(), {"echo", "ran"}));
    EXPECT_EQ(run.exit_code, kGuiseFailed) << why << ": " << run;
    EXPECT_EQ(run.out, "") << why;
    EXPECT_THAT(run.err, HasSubstr(guise().runtime_directory())) << why;
    const RunResult start = guise().StartServer();
    EXPECT_NE(start.exit_code, 0) << why << ": " << start;
  }

  std::unique_ptr<Guise> guise_;
};

TEST_F(RuntimeDirectoryTest, IsMadeForItsOwnerAlone) {
  ASSERT_TRUE(guise().StartServer().ok());
  struct stat status {};
  ASSERT_EQ(stat(guise().runtime_directory().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  EXPECT_EQ(status.st_uid, guise().account().uid);
  EXPECT_TRUE(guise().StopServer().ok());
}

// Who starts the server by chance is not whom it serves alone.
TEST_F(RuntimeDirectoryTest, AServerLeavesTheLimitsOfItsStarterBehind) {
  Command command = guise().In(LinuxWay(), {"true"});
  std::string line = "ulimit -S -v 8000000; ulimit -S -t 100; exec";
  for (const std::string& word : command.argv) line += " '" + word + "'";
  command.argv = {"sh", "-c", line};
  const RunResult result = RunToEnd(command);
  ASSERT_TRUE(result.ok()) << result;
  const pid_t server = guise().ServerPid();
  ASSERT_GT(server, 0);
  const std::string limits = ReadFile("/proc/" + std::to_string(server) + "/limits");
  for (const char* name : {"Max cpu time", "Max address space"}) {
    const size_t at = limits.find(name);
    ASSERT_NE(at, std::string::npos);
    EXPECT_THAT(limits.substr(at, limits.find('\n', at) - at), HasSubstr("unlimited            unlimited")) << name;
  }
}

// It would refuse callers for want of descriptors, and with reasons of other things.
TEST_F(RuntimeDirectoryTest, AServerWithTooFewOpenFilesDoesNotStart) {
  Command command = guise().In(LinuxWay(), {"true"});
  // Root's server lifts what it may not exceed: without the capability for that it cannot.
  std::string line = "ulimit -n 30; test $(id -u) != 0 || set setpriv --bounding-set -sys_resource; exec \"$@\"";
  for (const std::string& word : command.argv) line += " '" + word + "'";
  command.argv = {"sh", "-c", line};
  const RunResult result = RunToEnd(command);
  EXPECT_EQ(result.exit_code, 125) << result;
  EXPECT_THAT(result.err, AllOf(HasSubstr("cannot start the server"), HasSubstr("ulimit -Hn"), HasSubstr("64")));
}

TEST_F(RuntimeDirectoryTest, OfSomebodyElseIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to make a directory of somebody else's";
  MakeRuntimeDirectory(0755, Self());
  ExpectRefused("owned by root");
}

TEST_F(RuntimeDirectoryTest, ThatOthersMayEnterIsRefusedOrClosed) {
  MakeRuntimeDirectory(0777, guise().account());
  const RunResult run = RunToEnd(guise().In(LinuxWay(), {"echo", "ran"}));
  struct stat status {};
  ASSERT_EQ(stat(guise().runtime_directory().c_str(), &status), 0);
  EXPECT_TRUE(run.exit_code == kGuiseFailed || (status.st_mode & 077) == 0) << run;
}

TEST_F(RuntimeDirectoryTest, WhosePathIsTooLongForASocketIsRefusedWithTheReason) {
  Command command = guise().In(LinuxWay(), {"true"});
  const std::string path = guise().home() + "/" + std::string(120, 'x');
  for (std::string& variable : command.env) {
    if (variable.rfind("GUISE_RUNTIME_DIR=", 0) == 0) variable = "GUISE_RUNTIME_DIR=" + path;
  }
  const RunResult result = RunToEnd(command);
  EXPECT_EQ(result.exit_code, kGuiseFailed) << result;
  EXPECT_THAT(result.err, HasSubstr("xxx"));
}

TEST_F(RuntimeDirectoryTest, ThatIsAFileIsRefused) {
  WriteFile(guise().runtime_directory(), "not a directory\n");
  ExpectRefused("a file");
}

TEST_F(RuntimeDirectoryTest, ThatIsFullIsReportedAndHarmsNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small file system";
  MakeRuntimeDirectory(0700, guise().account());
  const std::string options = "size=64k,mode=0700,uid=" + std::to_string(guise().account().uid);
  const std::string& path = guise().runtime_directory();
  if (mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()) != 0) GTEST_SKIP() << "cannot mount here";
  WriteFile(path + "/filler", std::string(1 << 20, 'x'));
  const RunResult run = RunToEnd(guise().In(FakerootWay(), {"sh", "-c", "id -u"}));
  // Sockets and locks need inodes but no blocks: it may well work; but it may not hang or lie.
  EXPECT_FALSE(run.timed_out) << run;
  if (run.exit_code == 0) {
    EXPECT_EQ(run.out, "0\n");
  } else {
    EXPECT_EQ(run.exit_code, kGuiseFailed) << run;
    EXPECT_NE(run.err, "");
  }
  const std::string mounted = path;
  guise_.reset();
  EXPECT_EQ(umount2(mounted.c_str(), MNT_DETACH), 0);
}

TEST_F(RuntimeDirectoryTest, WithoutInodesLeftIsReported) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small file system";
  MakeRuntimeDirectory(0700, guise().account());
  const std::string options = "nr_inodes=2,mode=0700,uid=" + std::to_string(guise().account().uid);
  const std::string path = guise().runtime_directory();
  if (mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()) != 0) GTEST_SKIP() << "cannot mount here";
  ExpectRefused("no inodes");
  EXPECT_EQ(umount2(path.c_str(), MNT_DETACH), 0);
}

TEST_F(RuntimeDirectoryTest, HasOneServerOnly) {
  ASSERT_TRUE(guise().StartServer().ok());
  const pid_t first = guise().ServerPid();
  ASSERT_GT(first, 0);
  const RunResult second = guise().StartServer();
  EXPECT_EQ(guise().ServerPid(), first) << "the second must not steal the path: " << second;
  // The server itself, started by hand, says who is there.
  Command bare = guise().Cli({});
  bare.argv = {Stage::Get().prefix() + "/bin/guised"};
  bare.patience_seconds = 30;
  const RunResult third = RunToEnd(bare);
  EXPECT_NE(third.exit_code, 0) << third;
  EXPECT_FALSE(third.timed_out) << third;
  EXPECT_NE(third.err, "");
  EXPECT_EQ(guise().ServerPid(), first);
  EXPECT_TRUE(RunToEnd(guise().In(FakerootWay(), {"true"})).ok());
  EXPECT_TRUE(guise().StopServer().ok());
}

TEST_F(RuntimeDirectoryTest, IsUsedAgainAfterAServerWasKilled) {
  ASSERT_TRUE(guise().StartServer().ok());
  const pid_t first = guise().ServerPid();
  ASSERT_GT(first, 0);
  kill(first, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return guise().ServerPid() == 0; }));
  const RunResult run = RunToEnd(guise().In(FakerootWay(), {"id", "-u"}));
  EXPECT_EQ(run.out, "0\n") << run;
  EXPECT_NE(guise().ServerPid(), first);
}

TEST_F(RuntimeDirectoryTest, TwoOfThemHaveServersThatKnowNothingOfEachOther) {
  Guise other(OrdinaryUser());
  ASSERT_TRUE(guise().StartServer().ok());
  ASSERT_TRUE(other.StartServer().ok());
  EXPECT_NE(guise().ServerPid(), other.ServerPid());
  Command command = guise().Cli({"run", "--name", "here", "--", "sh", "-c", "echo up; read x"});
  command.keep_stdin_open = true;
  const std::unique_ptr<Process> program = Process::Start(command);
  ASSERT_TRUE(program->AwaitOutput("up\n")) << program->Wait();
  EXPECT_THAT(RunToEnd(guise().Cli({"ps"})).out, HasSubstr("here"));
  EXPECT_THAT(RunToEnd(other.Cli({"ps"})).out, testing::Not(HasSubstr("here")));
  EXPECT_TRUE(other.StopServer().ok());
  program->Write("\n");
  program->CloseInput();
  EXPECT_TRUE(program->Wait().ok());
}

TEST_F(RuntimeDirectoryTest, OfAnotherUserIsOutOfReach) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to be two users";
  ASSERT_TRUE(guise().StartServer().ok());
  Command command = guise().Cli({"ps"});
  command.account = Account{"stranger", 54321, 54321};
  const RunResult result = RunToEnd(command);
  EXPECT_NE(result.exit_code, 0) << result;
}

}  // namespace
}  // namespace guise::tests
