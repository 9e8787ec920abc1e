// Becoming a daemon, so that whoever starts it learns whether it serves.
#ifndef GUISE_SERVER_CONTROL_DAEMON_H_
#define GUISE_SERVER_CONTROL_DAEMON_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

// The daemon's word to the process that started it. Movable, not thread-safe.
class Readiness {
 public:
  // Nobody waits for a word.
  Readiness() = default;
  explicit Readiness(OwnedFd report) : report_(std::move(report)) {}

  // It serves: the process that started it exits with 0.
  void Ready();
  // It does not: that process says why on its stderr and exits with 1.
  void Failed(const absl::Status& why);

 private:
  OwnedFd report_;
};

// Splits the process: the caller goes on as a daemon (a session of its own, in /, stdin from /dev/null, no other fd
// than stdout and stderr, which the caller points elsewhere before it says Ready); the original process waits for its
// word and never returns from here.
// REQUIRES: one thread.
absl::StatusOr<Readiness> Detach();

// A server is for all sessions of its user, and the process that happens to start it has limits of its own. Lifts what
// may be lifted: soft limits to the hard ones, a nice value, a choice of CPUs. Returns the limits that stay in its way
// (ulimit's letters), for which it should not outlive its sessions; empty: none.
std::string LiftLimits();

// FAILED_PRECONDITION: there may be too few open files for a server with one session.
absl::Status CheckOpenFiles();

}  // namespace guise::server

#endif  // GUISE_SERVER_CONTROL_DAEMON_H_
