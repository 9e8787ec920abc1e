// A guest in a process of its own, for tests of deaths.
#ifndef GUISE_SERVER_SESSION_TESTING_CHILD_H_
#define GUISE_SERVER_SESSION_TESTING_CHILD_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "server/channel/futex.h"
#include "server/channel/testing/guest.h"
#include "server/reactor/owned_fd.h"

namespace guise::server::testing {

// A forked guest: runs `body`, says so through a pipe, and waits to be killed.
class Child {
 public:
  explicit Child(const std::function<void()>& body) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) abort();
    ready_ = OwnedFd(ends[0]);
    OwnedFd mine(ends[1]);
    pid_ = fork();
    if (pid_ != 0) return;
    body();
    const char byte = 1;
    if (write(mine.get(), &byte, 1) != 1) _exit(1);
    while (true) pause();
  }
  ~Child() { Kill(); }

  pid_t pid() const { return pid_; }
  void AwaitReady() const {
    char byte = 0;
    ASSERT_EQ(read(ready_.get(), &byte, 1), 1) << "the child died early";
  }
  // For a body that ends in execve(2).
  void AwaitExec() const {
    char byte = 0;
    ASSERT_EQ(read(ready_.get(), &byte, 1), 0) << "the child has not executed anything";
  }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    Await();
  }
  int Await() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  OwnedFd ready_;
};

// Waits until the server has given something back so that `done` holds.
inline void AwaitReclaims(const GuestMemory& memory, const std::function<bool()>& done) {
  const wire::Cell<uint32_t>& reclaims = memory.Reply(0).reclaims;
  while (true) {
    const uint32_t seen = reclaims.Acquire();
    if (done()) return;
    FutexWait(reclaims.Address(), seen);
  }
}

}  // namespace guise::server::testing

#endif  // GUISE_SERVER_SESSION_TESTING_CHILD_H_
