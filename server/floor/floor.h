// The floor of a sandboxed guest, of whichever kind its policy says: namespaces and all that hangs on them, or, where
// there can be none, Landlock and a filter.
//
// Prepared in the launcher; entered in its child (server/launch/guest_start.h).
#ifndef GUISE_SERVER_FLOOR_FLOOR_H_
#define GUISE_SERVER_FLOOR_FLOOR_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/control/v1/sandbox.pb.h"
#include "server/floor/confinement.h"
#include "server/floor/restriction.h"

namespace guise::server {

class Floor {
 public:
  // `policy`: complete (policy.h). `program`: its path. `guest`: a process whose sandbox is to be joined; 0: a new one.
  // INVALID_ARGUMENT: the policy hides the program; else as of the kind's Prepare().
  static absl::StatusOr<Floor> Prepare(const v1::SandboxPolicy& policy, const std::string& program,
                                       const std::string& working_directory, pid_t guest);

  // One of the two is null.
  const Confinement* confinement() const { return std::get_if<Confinement>(&kind_); }
  const Restriction* restriction() const { return std::get_if<Restriction>(&kind_); }

  // As of Confinement.
  bool in_own_session() const;
  const std::string& moved_to() const;
  // What of the policy it does not enforce ("LINE (why)", one behind the other); empty: nothing.
  std::string NotEnforced(const v1::SandboxPolicy& policy) const;

  // Programs make temporary files where TMPDIR says, and are at a loss when that is hidden: it says the floor's own
  // directory, where there is one, and else nothing that is hidden.
  void SetTmpdir(const v1::SandboxPolicy& policy, std::vector<std::string>& environment) const;

 private:
  using Kind = std::variant<Confinement, Restriction>;

  explicit Floor(Kind kind) : kind_(std::move(kind)) {}

  Kind kind_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_FLOOR_H_
