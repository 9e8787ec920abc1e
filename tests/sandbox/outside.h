// What attempts to get out of a sandbox look for outside.
#ifndef GUISE_TESTS_SANDBOX_OUTSIDE_H_
#define GUISE_TESTS_SANDBOX_OUTSIDE_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>

#include "tests/support/guise.h"
#include "tests/support/process.h"

namespace guise::tests {

// A process of the account's; on the host's loopback a TCP listener and, with the same port, a UDP socket that echoes;
// the abstract unix socket, message queue and /dev/shm file "guise-test-PORT"; and System V objects with the key PORT.
class Outside {
 public:
  explicit Outside(const Guise& guise);
  ~Outside();
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

  const std::string& port() const { return port_; }
  pid_t pid() const { return process_->pid(); }

 private:
  void Echo() const;

  std::unique_ptr<Process> process_;
  int tcp_, udp_, abstract_, queue_, memory_, semaphore_, messages_;
  int end_[2];  // a pipe: its closing ends the thread
  std::string port_, name_;
  std::thread echo_;
};

}  // namespace guise::tests

#endif  // GUISE_TESTS_SANDBOX_OUTSIDE_H_
