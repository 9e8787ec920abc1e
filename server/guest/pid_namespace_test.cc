#include "server/guest/pid_namespace.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/reactor/owned_fd.h"
#include "server/reactor/pidfd.h"

namespace guise::server {
namespace {

// Process 1 of a new namespace, as it is called here; 0: nobody may make one.
pid_t StartInNamespace() {
  int ends[2];
  if (pipe(ends) != 0) return 0;
  const pid_t maker = fork();
  if (maker == 0) {
    pid_t first = 0;
    if (unshare(CLONE_NEWPID | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) == 0) first = fork();
    if (first == 0 && getpid() == 1) {
      while (true) pause();
    }
    _exit(write(ends[1], &first, sizeof(first)) == sizeof(first) ? 0 : 1);
  }
  close(ends[1]);
  pid_t first = 0;
  if (read(ends[0], &first, sizeof(first)) != sizeof(first)) first = 0;
  close(ends[0]);
  waitpid(maker, nullptr, 0);
  return first;
}

TEST(PidNamespaceTest, KnowsItsProcessesByTheirNamesThere) {
  // What is started there is then ours to reap.
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  const pid_t first = StartInNamespace();
  if (first == 0) GTEST_SKIP() << "no pid namespaces here";
  const PidNamespace found = PidNamespace::Of(first, OpenPidfd(first));
  ASSERT_TRUE(static_cast<bool>(found));
  const PidNamespace own = PidNamespace::Of(getpid(), OpenPidfd(getpid()));
  if (!own.Find(getpid()).has_value()) {
    kill(first, SIGKILL);
    waitpid(first, nullptr, 0);
    GTEST_SKIP() << "this kernel does not say";
  }
  EXPECT_EQ(own.Find(getpid()), getpid());
  EXPECT_EQ(found.Find(1), first);
  EXPECT_EQ(found.Find(2), 0);
  EXPECT_EQ(found.Find(0), 0);
  EXPECT_EQ(found.Find(-1), 0);
  EXPECT_EQ(PidNamespace().Find(1), std::nullopt);
  const OwnedFd pidfd = OpenPidfd(first);
  kill(first, SIGKILL);
  ASSERT_EQ(waitpid(first, nullptr, 0), first);
  EXPECT_EQ(found.Find(1), 0);
  EXPECT_FALSE(static_cast<bool>(PidNamespace::Of(getpid(), pidfd))) << "of a process that has ended";
}

}  // namespace
}  // namespace guise::server
