// The floor of a sandboxed session where no namespaces can be made: Landlock and a system call filter. It promises less
// than a Confinement (explain.h): paths are there, and cannot be opened; other processes are seen.
//
// Prepared in the launcher; entered in its child, where nothing is called but system calls.
#ifndef GUISE_SERVER_FLOOR_RESTRICTION_H_
#define GUISE_SERVER_FLOOR_RESTRICTION_H_

#include <linux/filter.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/control/v1/sandbox.pb.h"
#include "server/floor/confinement.h"

namespace guise::server {

class Restriction {
 public:
  // `policy`: complete (policy.h). Makes the directory temporary(), which goes with the result. FAILED_PRECONDITION:
  // this kernel has no Landlock; else what the host refuses.
  static absl::StatusOr<Restriction> Prepare(const v1::SandboxPolicy& policy, const std::string& working_directory);
  Restriction(Restriction&& from) noexcept { *this = std::move(from); }
  Restriction& operator=(Restriction&& from) noexcept;
  ~Restriction();

  // False: *failure says why, and the process is good for nothing but to end. `image`: a descriptor of the shim's
  // image, -1: none. Async-signal-safe. REQUIRES: one thread.
  bool Enter(int image, ConfinementFailure* failure) const;

  // A directory that guests may write to; a policy's other temporary directories are hidden.
  const std::string& temporary() const { return temporary_; }
  // As of Confinement.
  const std::string& moved_to() const { return moved_to_; }
  bool in_own_session() const { return in_own_session_; }

 private:
  struct Grant {
    std::string path;
    bool writes;
  };

  Restriction() = default;
  void Walk(const v1::SandboxPolicy& policy, const std::string& path);

  std::string temporary_;
  std::vector<Grant> grants_;
  std::string moved_to_;
  bool in_own_session_ = true;
  std::vector<sock_filter> filter_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_RESTRICTION_H_
