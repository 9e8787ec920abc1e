// A pid namespace below this process's own, asked for its processes without a look at all of /proc.
//
// Thread safety: const functions may be called from any thread.
#ifndef GUISE_SERVER_GUEST_PID_NAMESPACE_H_
#define GUISE_SERVER_GUEST_PID_NAMESPACE_H_

#include <sys/types.h>

#include <optional>
#include <utility>

#include "server/reactor/owned_fd.h"

namespace guise::server {

class PidNamespace {
 public:
  // None: nothing is said of it.
  PidNamespace() = default;
  // The one that the process is in. `pidfd`: its; none where it has ended, or the kernel does not let us see.
  static PidNamespace Of(pid_t pid, const OwnedFd& pidfd);

  explicit operator bool() const { return static_cast<bool>(file_); }
  // The pid here of the process that is called `named` there, or that has a thread which is; 0: nobody is. nullopt: the
  // kernel does not say (before Linux 6.11).
  std::optional<pid_t> Find(pid_t named) const;

 private:
  explicit PidNamespace(OwnedFd file) : file_(std::move(file)) {}

  OwnedFd file_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_GUEST_PID_NAMESPACE_H_
