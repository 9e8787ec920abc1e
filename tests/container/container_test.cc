// Guise inside a container: Docker 25's default profile, no capability, no_new_privs, an ordinary user; once more
// without ptrace and process_vm_*.
#include <gtest/gtest.h>

#include "tests/support/guise.h"
#include "tests/support/json.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

class ContainerTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    guise_ = std::make_unique<Guise>(OrdinaryUser());
    guise_->SetWrapper({Stage::Get().Guest("tests/container/confined"), GetParam()});
  }

  void TearDown() override {
    if (guise_->ServerPid() == 0) return;
    const RunResult stop = guise_->StopServer();
    EXPECT_TRUE(stop.ok()) << stop;
  }

  RunResult RunIn(const Way& way, const std::string& script) { return RunToEnd(guise_->In(way, {"sh", "-c", script})); }

  std::string Uid() const { return std::to_string(guise_->account().uid); }

  std::unique_ptr<Guise> guise_;
};

TEST_P(ContainerTest, TheProfileRefusesWhatDockerRefuses) {
  const RunResult result = RunToEnd(
      guise_->In(NativeWay(), {Stage::Get().Guest("tests/container/container_probe_dynamic.elf"), GetParam()}));
  EXPECT_EQ(result.out, "pass\n") << result;
}

TEST_P(ContainerTest, TheServerStartsAndItsReactorIsEpoll) {
  GUISE_NEEDS_TREE();
  const RunResult start = guise_->StartServer();
  ASSERT_TRUE(start.ok()) << start;
  const RunResult status = RunToEnd(guise_->Cli({"server", "status", "--json"}));
  const std::optional<Json> json = ParseJson(status.out);
  ASSERT_TRUE(status.ok() && json.has_value()) << status;
  EXPECT_EQ((*json)["reactor"].text, "epoll");
  EXPECT_EQ((*json)["waiting"].text, "futex");
}

TEST_P(ContainerTest, DoctorSaysThatIoUringIsRefusedAndThatTheServerDoesWithoutIt) {
  GUISE_NEEDS_TREE();
  const RunResult doctor = RunToEnd(guise_->Cli({"doctor", "--json"}));
  EXPECT_EQ(doctor.exit_code, 0) << "nothing required is missing: " << doctor;
  const std::optional<Json> json = ParseJson(doctor.out);
  ASSERT_TRUE(json.has_value()) << doctor;
  bool found = false;
  for (const Json& finding : (*json)["findings"].items) {
    if (finding["name"].text != "io_uring") continue;
    found = true;
    EXPECT_EQ(finding["present"].text, "false");
    EXPECT_NE(finding["state"].text.find("Operation not permitted"), std::string::npos) << finding["state"].text;
    EXPECT_NE(finding["hint"].text.find("epoll"), std::string::npos) << finding["hint"].text;
  }
  EXPECT_TRUE(found) << doctor;
}

TEST_P(ContainerTest, RunStartsAServerByItselfAndPassesEverythingThrough) {
  GUISE_NEEDS_TREE();
  for (const Way& way : {LinuxWay(), LinuxAtServerWay()}) {
    Command command =
        guise_->In(way, {"sh", "-c", "cat; id -u; (exit 3); echo $? >&2; ls / | wc -l >/dev/null; exit 42"});
    command.input = "through\n";
    const RunResult result = RunToEnd(command);
    EXPECT_EQ(result.exit_code, 42) << result;
    EXPECT_EQ(result.out, "through\n" + Uid() + "\n");
    EXPECT_EQ(result.err, "3\n");
  }
}

TEST_P(ContainerTest, FakerootShowsRootAndKeepsOwnersWhileTheHostsFileStaysAsItIs) {
  GUISE_NEEDS_TREE();
  const RunResult result = RunIn(FakerootWay(), "id -u; touch f; chown 1:2 f; stat -c %u:%g f");
  EXPECT_EQ(result.out, "0\n1:2\n") << result;
  EXPECT_EQ(result.exit_code, 0);
  const RunResult host = RunIn(NativeWay(), "stat -c %u f");
  EXPECT_EQ(host.out, Uid() + "\n");
}

TEST_P(ContainerTest, SwitchChangesARunningProgramsPersonalityAndBack) {
  GUISE_NEEDS_TREE();
  Command command = guise_->Cli({"run", "--name", "switched", "--", "sh", "-c", "while read -r x; do id -u; done"});
  command.keep_stdin_open = true;
  const std::unique_ptr<Process> program = Process::Start(command);
  const auto ask = [&](const std::string& expected) {
    program->Write("x\n");
    return program->AwaitOutput(expected + "\n");
  };
  ASSERT_TRUE(ask(Uid())) << program->Wait();
  for (int i = 0; i < 5; ++i) {
    const RunResult to_fake = RunToEnd(guise_->Cli({"switch", "switched", "fakeroot"}));
    EXPECT_TRUE(to_fake.ok()) << to_fake;
    EXPECT_TRUE(ask("0"));
    const RunResult to_linux = RunToEnd(guise_->Cli({"switch", "switched", "linux"}));
    EXPECT_TRUE(to_linux.ok()) << to_linux;
    EXPECT_TRUE(ask(Uid()));
  }
  program->CloseInput();
  EXPECT_TRUE(program->Wait().ok());
}

TEST_P(ContainerTest, GuestsPassInEveryWay) {
  GUISE_NEEDS_TREE();
  for (const char* name :
       {"fork_inside_dynamic", "vfork_inside_static", "clone3_inside_dynamic", "spawn_inside_musl", "threads_dynamic",
        "exec_inside_static_pie", "fd_close_all_dynamic", "signal_eintr_dynamic", "scripts_dynamic"}) {
    const std::string guest = Stage::Get().Guest(std::string("tests/guests/") + name + ".elf");
    for (const Way& way : Ways()) {
      Command command = guise_->In(way, {guest});
      command.cwd = Stage::Get().MakeDirectory(guise_->account(), name);
      command.env.push_back("GUEST_UID=" + (way.fakeroot ? "0" : Uid()));
      const RunResult result = RunToEnd(command);
      EXPECT_TRUE(result.ok()) << name << " " << way.name << ": " << result;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Profiles, ContainerTest, testing::Values("docker", "no-tracing"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param) == "docker" ? "docker" : "without_tracing";
                         });

}  // namespace
}  // namespace guise::tests
