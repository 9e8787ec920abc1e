// Whoever is killed, nothing hangs, and somebody says what happened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/guise.h"
#include "tests/support/json.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::HasSubstr;

// Calls of every kind, for ever: answered in the shim, by the kernel, by the server; with children.
constexpr char kLoop[] = "echo up; while :; do id -u; stat -c %u .; : < /dev/null; done > /dev/null 2>&1";
// The same for a given number of rounds.
constexpr char kShortLoop[] =
    "echo up; read x; n=0; while test $n -lt 20; do n=$((n + 1)); stat . > /dev/null; (exit 0); done; echo end";

class DeathTest : public testing::Test {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = std::make_unique<Guise>(OrdinaryUser());
    ASSERT_TRUE(guise_->StartServer().ok());
  }

  std::unique_ptr<Process> Start(const Way& way, const std::string& script, std::vector<std::string> options = {}) {
    Way named = way;
    named.options.insert(named.options.end(), options.begin(), options.end());
    Command command = guise_->In(named, {"sh", "-c", script});
    command.keep_stdin_open = true;
    std::unique_ptr<Process> process = Process::Start(command);
    EXPECT_TRUE(process->AwaitOutput("up\n")) << way.name;
    return process;
  }

  void KillServer() {
    const pid_t server = guise_->ServerPid();
    ASSERT_GT(server, 0);
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, server, 0));
    ASSERT_GE(pidfd, 0);
    kill(server, SIGKILL);
    pollfd end = {pidfd, POLLIN, 0};
    EXPECT_EQ(poll(&end, 1, 1000 * kPatienceSeconds), 1);
    close(pidfd);
    ASSERT_TRUE(Eventually([&] { return guise_->ServerPid() == 0; }));
  }

  std::unique_ptr<Guise> guise_;
};

// What the guests of a namespace of their own are called there means nothing to the server.
TEST_F(DeathTest, ASessionEndsWhenANamespacesProcessOneEndsAllOfIts) {
  // The server meets process 1 only where that has calls for it.
  for (const Way& way : {LinuxWay(), LinuxAtServerWay()}) {
    const RunResult result =
        RunToEnd(guise_->In(way, {"unshare", "-Urpf", "--mount-proc", "sh", "-c",
                                  "sleep 1000 & sleep 1000 & id -u > /dev/null; echo up; exit 3"}));
    if (result.out.empty()) GTEST_SKIP() << "no user namespaces here: " << result.err;
    EXPECT_EQ(result.exit_code, 3) << way.name << result;
    EXPECT_TRUE(Eventually([&] {
      const RunResult sessions = RunToEnd(guise_->Cli({"ps", "--json"}));
      return sessions.ok() && sessions.out.find("\"id\"") == std::string::npos;
    })) << way.name;
  }
}

TEST_F(DeathTest, AKilledServersGuestsGoOnNativelyUnderLinux) {
  for (const Way& way : {LinuxWay(), LinuxAtServerWay()}) {
    SCOPED_TRACE(way.name);
    if (guise_->ServerPid() == 0) {
      ASSERT_TRUE(guise_->StartServer().ok());
    }
    const std::unique_ptr<Process> program = Start(way, kShortLoop);
    KillServer();
    program->Write("\n");
    program->CloseInput();
    const RunResult result = program->Wait();
    EXPECT_EQ(result.exit_code, 0) << result;
    EXPECT_THAT(result.out, HasSubstr("end\n"));
    EXPECT_THAT(result.err, HasSubstr("server")) << "guise run says that it is gone";
  }
}

TEST_F(DeathTest, AServerKilledInTheMiddleOfCallsLeavesNobodyWaiting) {
  for (const Way& way : {LinuxAtServerWay(), FakerootWay()}) {
    for (int i = 0; i < 5; ++i) {
      SCOPED_TRACE(way.name + " round " + std::to_string(i));
      if (guise_->ServerPid() == 0) {
        ASSERT_TRUE(guise_->StartServer().ok());
      }
      const std::unique_ptr<Process> program =
          Start(way,
                "exec 3<&0; (read x <&3) & echo up; while kill -0 $! 2> /dev/null; do stat . > /dev/null 2>&1; done;"
                "echo end");
      for (int nap = 0; nap < 5 * i; ++nap) Nap();
      KillServer();
      program->Write("\n");
      program->CloseInput();
      const RunResult result = program->Wait();
      EXPECT_FALSE(result.timed_out) << result;
      EXPECT_THAT(result.out, HasSubstr("end\n")) << result;
      EXPECT_THAT(result.err, HasSubstr("server")) << result;
    }
  }
}

TEST_F(DeathTest, AKilledServersGuestsGetEioUnderFakeroot) {
  const std::unique_ptr<Process> program =
      Start(FakerootWay(), "touch f; echo up; read x; chown 1:2 f; echo chown says $?");
  KillServer();
  program->Write("\n");
  program->CloseInput();
  const RunResult result = program->Wait();
  EXPECT_FALSE(result.timed_out) << result;
  EXPECT_THAT(result.out, HasSubstr("chown says 1\n")) << result;
  EXPECT_THAT(result.err, HasSubstr("Input/output error"));
}

TEST_F(DeathTest, ANewServerStartsBesideTheGuestsOfADeadOne) {
  const std::unique_ptr<Process> program = Start(LinuxWay(), kShortLoop);
  KillServer();
  EXPECT_EQ(RunToEnd(guise_->In(FakerootWay(), {"id", "-u"})).out, "0\n");
  program->Write("\n");
  program->CloseInput();
  EXPECT_TRUE(program->Wait().ok());
}

TEST_F(DeathTest, AKilledGuestsSlotsAndSessionsComeBack) {
  for (const Way& way : {LinuxAtServerWay(), FakerootWay()}) {
    SCOPED_TRACE(way.name);
    const std::unique_ptr<Process> program = Start(way, kLoop);
    for (const pid_t pid : Descendants(program->pid())) {
      if (pid != program->pid()) kill(pid, SIGKILL);
    }
    const RunResult result = program->Wait();
    EXPECT_EQ(result.exit_code, 128 + SIGKILL) << result;
    EXPECT_TRUE(Eventually([&] {
      const std::optional<Json> json = ParseJson(RunToEnd(guise_->Cli({"ps", "--json"})).out);
      return json.has_value() && (*json)["sessions"].items.empty();
    }));
  }
}

TEST_F(DeathTest, ManyKilledGuestsUseUpNoSlots) {
  // More deaths in mid-call than a session has slots in its first groups.
  const std::unique_ptr<Process> program =
      Start(LinuxAtServerWay(),
            "n=0; echo up; read x; while test $n -lt 300; do n=$((n + 1)); (while :; do :; done < /dev/null) & kill -9 "
            "$!; wait $! 2> /dev/null; done; echo end");
  program->Write("\n");
  program->CloseInput();
  const RunResult result = program->Wait();
  EXPECT_EQ(result.exit_code, 0) << result;
  EXPECT_THAT(result.out, HasSubstr("end\n"));
}

TEST_F(DeathTest, AKilledGuiseRunLeavesGuestsThatDoNotHang) {
  for (const Way& way : {LinuxWay(), LinuxAtServerWay(), FakerootWay()}) {
    SCOPED_TRACE(way.name);
    const std::unique_ptr<Process> program =
        Start(way, "echo up; read x; stat . > /dev/null && echo $? > after; exit 0");
    program->Signal(SIGKILL);
    program->Write("\n");
    program->CloseInput();
    EXPECT_FALSE(program->Wait().timed_out);
    EXPECT_TRUE(Eventually([&] { return !ReadFile(guise_->home() + "/after").empty(); }));
    EXPECT_EQ(ReadFile(guise_->home() + "/after"), "0\n");
    EXPECT_EQ(remove((guise_->home() + "/after").c_str()), 0);
    // The server works on, and in the end the session is gone.
    EXPECT_EQ(RunToEnd(guise_->In(FakerootWay(), {"id", "-u"})).out, "0\n");
    EXPECT_TRUE(Eventually([&] {
      const std::optional<Json> json = ParseJson(RunToEnd(guise_->Cli({"ps", "--json"})).out);
      return json.has_value() && (*json)["sessions"].items.empty();
    }));
  }
}

TEST_F(DeathTest, StopEndsASessionAndAllThatRunsInIt) {
  const std::unique_ptr<Process> program = Start(
      LinuxWay(), "sleep 1000 & sh -c 'trap \"\" TERM; sleep 1000; sleep 1000' & echo up; wait", {"--name", "stopped"});
  EXPECT_TRUE(RunToEnd(guise_->Cli({"stop", "stopped"})).ok());
  const RunResult result = program->Wait();
  EXPECT_FALSE(result.timed_out) << result;
  EXPECT_NE(result.exit_code, 0);
}

}  // namespace
}  // namespace guise::tests
