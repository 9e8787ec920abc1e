// Policies of sandboxed sessions: read, completed by their preset, and held against this host.
#ifndef GUISE_SERVER_FLOOR_POLICY_H_
#define GUISE_SERVER_FLOOR_POLICY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/control/v1/sandbox.pb.h"

namespace guise::server {

// Text form or JSON. `source` names it in errors: INVALID_ARGUMENT with line and column.
absl::StatusOr<v1::SandboxPolicy> ParsePolicy(std::string_view text, const std::string& source);

// What a host looks like to a policy.
struct PolicySurroundings {
  std::string home;               // of the user; may be empty
  std::string working_directory;  // of the launcher; empty: it has no name
  std::string runtime_directory;  // Guise's own
  bool has_namespaces = true;     // can be made
};

// The policy with its preset's rules before its own, nothing unspecified, and paths without links. INVALID_ARGUMENT: an
// unknown preset, a path that is not absolute or does not exist, a value out of range.
absl::StatusOr<v1::SandboxPolicy> CompletePolicy(const v1::SandboxPolicy& policy,
                                                 const PolicySurroundings& surroundings);

// What the last matching rule of a completed policy says of an absolute path without links.
v1::Access AccessOf(const v1::SandboxPolicy& policy, std::string_view path);

// Whether the path is the directory, or below it.
bool IsAtOrBelow(std::string_view path, std::string_view directory);

// Whether what the host has there is there for guests.
bool IsSeen(v1::Access access);

// INVALID_ARGUMENT: the program is hidden from its own session.
absl::Status CheckVisible(const v1::SandboxPolicy& policy, const std::string& program);

std::string_view NameOf(v1::Access access);    // "ro", "rw", "hide", "tmp"
std::string_view NameOf(v1::Network network);  // "none", "loopback", "host"
const std::vector<std::string>& PresetNames();

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_POLICY_H_
