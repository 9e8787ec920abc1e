#include "server/launch/guest_start.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/layout.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr char kFakeShim[] = "server/launch/fake_shim";

class GuestStartTest : public ::testing::Test {
 protected:
  void SetUp() override {
    image_ = OwnedFd(open(kFakeShim, O_PATH | O_CLOEXEC));
    ASSERT_TRUE(static_cast<bool>(image_)) << "run from the runfiles directory";
    request_ = OwnedFd(memfd_create("request", MFD_CLOEXEC));
    const OwnedFd reply(memfd_create("reply", MFD_CLOEXEC));
    ASSERT_EQ(ftruncate(request_.get(), wire::kPageSize), 0);
    ASSERT_EQ(ftruncate(reply.get(), wire::kPageSize), 0);
    reply_ = OwnedFd(open(absl::StrCat("/proc/self/fd/", reply.get()).c_str(), O_RDONLY | O_CLOEXEC));
    char name[] = "/tmp/guise-start-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    base_ = name;
  }
  void TearDown() override { ASSERT_EQ(system(absl::StrCat("rm -rf '", base_, "'").c_str()), 0); }

  absl::StatusOr<pid_t> Start(const GuestStart& start) const {
    absl::StatusOr<StartingGuest> guest = StartingGuest::Begin(start);
    if (!guest.ok()) return guest.status();
    const Handover handover = {request_.get(), reply_.get(), nullptr};
    return guest->Finish(&handover);
  }

  // `sh -c script`, with what it wrote to `base_`/out as the result.
  std::string RunScript(const std::string& script, std::vector<std::string> environment = {},
                        const SignalState& signals = SignalState::Capture()) {
    environment.push_back("FAKE_SHIM_REPORT=" + base_ + "/handover");
    environment.emplace_back("PATH=/usr/bin:/bin");
    const absl::StatusOr<pid_t> pid = Start({image_.get(),
                                             "/bin/sh",
                                             {"sh", "-c", absl::StrCat("exec >'", base_, "/out' 2>&1; ", script)},
                                             std::move(environment),
                                             signals,
                                             1024});
    EXPECT_TRUE(pid.ok()) << pid.status();
    int status = 0;
    EXPECT_EQ(waitpid(*pid, &status, 0), *pid);
    EXPECT_TRUE(WIFEXITED(status));
    exit_code_ = WEXITSTATUS(status);
    return Read("/out");
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(base_ + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  OwnedFd image_;
  OwnedFd request_;
  OwnedFd reply_;
  std::string base_;
  int exit_code_ = -1;
};

TEST_F(GuestStartTest, HandsOverThreeFdsAndThePath) {
  EXPECT_EQ(RunScript("echo hello; exit 7"), "hello\n");
  EXPECT_EQ(exit_code_, 7);
  EXPECT_EQ(Read("/handover"), "5:224:225:226:1:0:-1:/bin/sh\n");
}

TEST_F(GuestStartTest, TheGuestSeesNoFdOfOurs) {
  EXPECT_EQ(RunScript("cd /proc/$$/fd; echo *"), "0 1 2 3\n") << "3 is what the shell lists with";
}

TEST_F(GuestStartTest, PassesTheEnvironmentWithoutAnOldHandover) {
  EXPECT_EQ(RunScript("env | grep -e GUISE -e KEPT", {"KEPT=a b", "GUISE_SHIM=1:2:3:4:5:6:/old"}), "KEPT=a b\n");
}

TEST_F(GuestStartTest, RestoresMaskAndIgnoredSignals) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  sigset_t before;
  sigprocmask(SIG_BLOCK, &blocked, &before);
  signal(SIGHUP, SIG_IGN);
  const SignalState captured = SignalState::Capture();
  sigfillset(&blocked);
  sigprocmask(SIG_SETMASK, &blocked, nullptr);
  signal(SIGHUP, SIG_DFL);
  signal(SIGTERM, SIG_IGN);
  const std::string status = RunScript("exec cat /proc/self/status", {}, captured);
  signal(SIGTERM, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  EXPECT_THAT(status, HasSubstr("SigBlk:\t0000000000000800\n"));  // SIGUSR2 is 12
  // SIGHUP is 1. 32 and 33 are libc's own, and stay as they were.
  EXPECT_THAT(status, ContainsRegex("SigIgn:\t0000000[0-9a-f]80000001\n|SigIgn:\t0000000000000001\n"));
}

// Without the shim, which would miss what is handed over.
TEST_F(GuestStartTest, NothingRunsBeforeItIsFinished) {
  const std::string mark = base_ + "/mark";
  const GuestStart start = {-1,
                            "/bin/sh",
                            {"sh", "-c", absl::StrCat("test -e ", mark, " && exit 7")},
                            {"PATH=/usr/bin:/bin"},
                            SignalState::Capture(),
                            1024};
  absl::StatusOr<StartingGuest> guest = StartingGuest::Begin(start);
  ASSERT_TRUE(guest.ok()) << guest.status();
  RunScript(":");  // longer than it takes to run
  std::ofstream(mark) << "finished\n";
  const absl::StatusOr<pid_t> pid = guest->Finish(nullptr);
  ASSERT_TRUE(pid.ok()) << pid.status();
  int status = 0;
  EXPECT_EQ(waitpid(*pid, &status, 0), *pid);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST_F(GuestStartTest, WhatIsNotFinishedIsNoMore) {
  const GuestStart start = {image_.get(), "/bin/true", {"true"}, {}, SignalState::Capture(), 1024};
  { ASSERT_TRUE(StartingGuest::Begin(start).ok()); }
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST_F(GuestStartTest, TellsThatTheProcessHasGone) {
  const GuestStart start = {image_.get(), "/bin/true", {"true"}, {}, SignalState::Capture(), 1024};
  absl::StatusOr<StartingGuest> guest = StartingGuest::Begin(start);
  ASSERT_TRUE(guest.ok()) << guest.status();
  std::ifstream children("/proc/thread-self/children");
  pid_t child = 0;
  if (!(children >> child)) GTEST_SKIP() << "the kernel does not list children";
  kill(child, SIGKILL);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  const Handover handover = {request_.get(), reply_.get(), nullptr};
  const absl::Status status = guest->Finish(&handover).status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("\"/bin/true\" has ended before, by signal 9;"));
}

// As by ^Z while the session is made: who waits for it there would not hear of what continues or ends it.
TEST_F(GuestStartTest, WhoIsStoppedIsNotWaitedFor) {
  const GuestStart start = {image_.get(), "/bin/sh", {"sh", "-c", "exit 7"}, {}, SignalState::Capture(), 1024};
  for (const int signal : {SIGSTOP, SIGKILL}) {
    absl::StatusOr<StartingGuest> guest = StartingGuest::Begin(start);
    ASSERT_TRUE(guest.ok()) << guest.status();
    std::ifstream children("/proc/thread-self/children");
    pid_t child = 0;
    if (!(children >> child)) GTEST_SKIP() << "the kernel does not list children";
    kill(child, SIGSTOP);
    siginfo_t info;
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED | WNOWAIT), 0);
    const Handover handover = {request_.get(), reply_.get(), nullptr};
    alarm(30);
    const absl::StatusOr<pid_t> pid = guest->Finish(&handover);
    alarm(0);
    ASSERT_TRUE(pid.ok()) << pid.status();
    EXPECT_EQ(*pid, child);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
    EXPECT_TRUE(WIFSTOPPED(status)) << "the supervisor does not hear of it";
    kill(child, signal == SIGSTOP ? SIGCONT : signal);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, signal == SIGSTOP ? 7 << 8 : signal);
  }
}

TEST_F(GuestStartTest, StepsDownFromTakenNumbersAndTheLimit) {
  const OwnedFd taken224(dup3(request_.get(), 224, O_CLOEXEC));
  const OwnedFd taken223(dup3(request_.get(), 223, O_CLOEXEC));
  absl::StatusOr<GuardedFds> fds = ChooseGuardedFds(1024);
  ASSERT_TRUE(fds.ok());
  EXPECT_EQ(fds->image, 222);
  EXPECT_EQ(fds->request, 225);
  EXPECT_EQ(fds->reply, 226);
  fds = ChooseGuardedFds(100);
  ASSERT_TRUE(fds.ok());
  EXPECT_EQ(fds->image, 99);
  EXPECT_EQ(fds->request, 98);
  EXPECT_EQ(fds->reply, 97);
  EXPECT_TRUE(absl::IsResourceExhausted(ChooseGuardedFds(4).status()));
}

TEST_F(GuestStartTest, TellsWhatExecveatSaidOfTheImage) {
  std::ofstream(base_ + "/text") << "no program\n";
  const OwnedFd text(open((base_ + "/text").c_str(), O_PATH | O_CLOEXEC));
  const absl::Status status = Start({text.get(), "/bin/true", {"true"}, {}, SignalState::Capture(), 1024}).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("cannot execute the shim's image"));
  EXPECT_LT(fcntl(224, F_GETFD), 0) << "the places were not given back";
}

TEST_F(GuestStartTest, TellsThatTheArgumentsAreTooLong) {
  const absl::Status status =
      Start({image_.get(), "/bin/true", {"true", std::string(1 << 20, 'x')}, {}, SignalState::Capture(), 1024})
          .status();
  EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
}

}  // namespace
}  // namespace guise::server
