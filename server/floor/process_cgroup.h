// A cgroup that limits how many processes and threads a sandbox has, for root, whom RLIMIT_NPROC does not bind.
//
// It lies beside the launcher's own cgroup, or below it, wherever the kernel takes a limit of the pids controller
// (cgroup v1 or v2), is called guise-PID after the launcher, and is removed with this object; what launchers that were
// killed have left behind, with the next one.
#ifndef GUISE_SERVER_FLOOR_PROCESS_CGROUP_H_
#define GUISE_SERVER_FLOOR_PROCESS_CGROUP_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

class ProcessCgroup {
 public:
  ProcessCgroup() = default;  // none
  ProcessCgroup(ProcessCgroup&& from) noexcept
      : path_(std::exchange(from.path_, std::string())),
        birthplace_(std::move(from.birthplace_)),
        entry_(std::move(from.entry_)) {}
  ProcessCgroup& operator=(ProcessCgroup&& from) noexcept {
    std::swap(path_, from.path_);
    std::swap(birthplace_, from.birthplace_);
    std::swap(entry_, from.entry_);
    return *this;
  }
  ~ProcessCgroup();

  // FAILED_PRECONDITION: this host has no place for one, and why.
  static absl::StatusOr<ProcessCgroup> Make(uint32_t most);
  // The one that the process, of a sandbox, is in; none when it is in none. Not removed with the result. Errors: it
  // cannot be joined.
  static absl::StatusOr<ProcessCgroup> Of(pid_t pid);

  // For clone3(2), with CLONE_INTO_CGROUP: who is born there need not move, for which cgroup v2 waits for a grace
  // period of RCU. -1: nobody can.
  int birthplace() const { return birthplace_.get(); }
  // Moves the calling process there; nothing when there is none. False: errno. Async-signal-safe. REQUIRES: one thread.
  bool Enter() const;

 private:
  std::string path_;  // to remove; empty: nothing
  OwnedFd birthplace_;
  OwnedFd entry_;  // its file by which processes are moved there
};

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_PROCESS_CGROUP_H_
