#include "server/guest/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <string>

namespace guise::server {
namespace {

uint64_t BoottimeNow() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

TEST(ProcessTest, ReadsAStatusWhateverTheNameHolds) {
  const std::string tail = " S 17 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4321 100 200\n";
  for (const char* name : {"sh", "a b", ") R 99", "(((", "\n"}) {
    const std::optional<ProcessStatus> status = ParseProcessStatus("42 (" + std::string(name) + ")" + tail, 100);
    ASSERT_TRUE(status.has_value()) << name;
    EXPECT_EQ(status->parent, 17);
    EXPECT_EQ(status->state, 'S');
    EXPECT_EQ(status->started_at, 43'210'000'000u);
  }
}

TEST(ProcessTest, RefusesWhatIsNoStatus) {
  for (const char* text :
       {"", "42", "42 (sh)", "42 (sh) S 1 2 3", "42 (sh) S x 1 1 0 -1 1 1 2 3 4 5 6 7 8 20 0 1 0 9 1"}) {
    EXPECT_FALSE(ParseProcessStatus(text, 100).has_value()) << text;
  }
}

TEST(ProcessTest, KnowsItselfAndItsParent) {
  const std::optional<ProcessStatus> status = ReadProcessStatus(getpid());
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->parent, getppid());
  EXPECT_TRUE(WasThere(*status, BoottimeNow()));
  EXPECT_FALSE(WasThere(*status, 1));
  EXPECT_TRUE(HasThread(getpid(), getpid()));
  EXPECT_FALSE(HasThread(getpid(), 1));
}

TEST(ProcessTest, TellsTheLivingTheYoungerAndTheDead) {
  OwnedFd pidfd;
  EXPECT_EQ(OpenGuest(getpid(), 1, &pidfd), Presence::kYounger);
  EXPECT_EQ(OpenGuest(0, ~uint64_t{0}, &pidfd), Presence::kNone);
  EXPECT_EQ(OpenGuest(-1, ~uint64_t{0}, &pidfd), Presence::kNone);
  EXPECT_FALSE(pidfd);
  EXPECT_EQ(OpenGuest(getpid(), BoottimeNow(), &pidfd), Presence::kThere);
  EXPECT_TRUE(pidfd);

  const pid_t child = fork();
  if (child == 0) {
    while (true) pause();
  }
  const uint64_t now = BoottimeNow();
  EXPECT_EQ(OpenGuest(child, now, &pidfd), Presence::kThere);
  kill(child, SIGKILL);
  siginfo_t info = {};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(OpenGuest(child, now, &pidfd), Presence::kNone) << "a dead process that waits to be reaped";
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(OpenGuest(child, now, &pidfd), Presence::kNone);
}

TEST(ProcessTest, FindsAFileThatIsOpenOrMapped) {
  OwnedFd file(memfd_create("guise-test", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 4096), 0);
  struct stat status = {};
  ASSERT_EQ(fstat(file.get(), &status), 0);
  const auto uses = [&] { return UsesFile(getpid(), status.st_dev, status.st_ino); };
  EXPECT_EQ(uses(), Uses::kYes);
  void* data = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 0);
  ASSERT_NE(data, MAP_FAILED);
  file = OwnedFd();
  EXPECT_EQ(uses(), Uses::kYes);
  munmap(data, 4096);
  EXPECT_EQ(uses(), Uses::kNo);
}

}  // namespace
}  // namespace guise::server
