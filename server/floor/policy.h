// Policies of sandboxed sessions: read, held against what any policy may say, and asked.
#ifndef GUISE_SERVER_FLOOR_POLICY_H_
#define GUISE_SERVER_FLOOR_POLICY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/control/v1/sandbox.pb.h"
#include "proto/text/field_lines.h"

namespace guise::server {

// Rules of paths that a policy has at most, those of its preset among them.
inline constexpr int kMostPaths = 256;

// Where a policy is written, for errors.
struct PolicyOrigin {
  std::string source;  // "policy q"; empty: no file
  FieldLines lines;    // of what the file says, and nothing after it overrides
  // "policy q, line 3"; empty: not in a file.
  std::string Of(const std::string& field) const;
};

// INVALID_ARGUMENT, of what is written at `origin`; empty: by a flag, or in a request.
absl::Status PolicyError(const std::string& origin, const std::string& what);

struct WrittenPolicy {
  v1::SandboxPolicy policy;
  PolicyOrigin origin;
};

// Text form or JSON. `source` names it in errors: INVALID_ARGUMENT with line and column.
absl::StatusOr<WrittenPolicy> ParsePolicy(std::string_view text, const std::string& source);

// INVALID_ARGUMENT: a value that no policy can have, on whatever host.
absl::Status CheckValues(const v1::SandboxPolicy& policy, const PolicyOrigin& origin = {});

// The last rule of a completed policy that matches an absolute path without links; null: none. The policy owns it.
const v1::PathRule* RuleOf(const v1::SandboxPolicy& policy, std::string_view path);

// What that rule says, or that of a path that none matches: it can be read.
v1::Access AccessOf(const v1::SandboxPolicy& policy, std::string_view path);

// Whether the path is the directory, or below it.
bool IsAtOrBelow(std::string_view path, std::string_view directory);

// Whether what the host has there is there for guests.
bool IsSeen(v1::Access access);

std::string_view NameOf(v1::Access access);    // "ro", "rw", "hide", "tmp"
std::string_view NameOf(v1::Network network);  // "none", "loopback", "host"

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_POLICY_H_
