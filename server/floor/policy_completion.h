// A policy held against this host, with what its preset says.
#ifndef GUISE_SERVER_FLOOR_POLICY_COMPLETION_H_
#define GUISE_SERVER_FLOOR_POLICY_COMPLETION_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/control/v1/sandbox.pb.h"
#include "server/floor/policy.h"

namespace guise::server {

// What a host looks like to a policy.
struct PolicySurroundings {
  std::string home;               // of the user; may be empty
  std::string working_directory;  // of the launcher; empty: it has no name
  std::string runtime_directory;  // Guise's own
  bool has_namespaces = true;     // can be made
};

// The policy with its preset's rules before its own, nothing unspecified, and paths without links. INVALID_ARGUMENT:
// as of CheckValues(); a path that does not exist; a rule that no sandbox can have.
absl::StatusOr<v1::SandboxPolicy> CompletePolicy(const v1::SandboxPolicy& policy,
                                                 const PolicySurroundings& surroundings,
                                                 const PolicyOrigin& origin = {});

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_POLICY_COMPLETION_H_
