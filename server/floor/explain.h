// Which layer of the floor enforces each line of a policy on this host, and what none does.
#ifndef GUISE_SERVER_FLOOR_EXPLAIN_H_
#define GUISE_SERVER_FLOOR_EXPLAIN_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/control/v1/sandbox.pb.h"

namespace guise::server {

struct Enforcement {
  std::string line;     // of the policy, in the words of the flags
  std::string layer;    // of the floor
  std::string missing;  // why it is not enforced here; empty: it is
};

// `policy`: complete.
std::vector<Enforcement> Explain(const v1::SandboxPolicy& policy);

// FAILED_PRECONDITION: a line that `asked`, the policy before it was completed, names is not enforced here.
absl::Status CheckEnforced(const v1::SandboxPolicy& policy, const v1::SandboxPolicy& asked);

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_EXPLAIN_H_
