// The flags of a sandbox: a policy in the words of guise.v1.SandboxPolicy.
#ifndef GUISE_SERVER_CLI_SANDBOX_H_
#define GUISE_SERVER_CLI_SANDBOX_H_

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/control/v1/sandbox.pb.h"
#include "server/floor/explain.h"

namespace guise::server {

struct SandboxFlags {
  std::string policy;  // a file; empty: none
  std::string preset;
  std::vector<std::pair<std::string, v1::Access>> paths;  // in the order of the command line
  std::string network;
  uint32_t processes = 0;
  std::string hostname;
  bool best_effort = false;

  bool any() const {
    return !policy.empty() || !preset.empty() || !paths.empty() || !network.empty() || processes != 0 ||
           !hostname.empty() || best_effort;
  }
};

// Adds --policy, --preset, --ro, --rw, --hide, --tmp, --net, --processes, --hostname and --best-effort.
void AddSandboxFlags(CLI::App& command, const std::shared_ptr<SandboxFlags>& flags);

// Of this process; empty where it has no name: it was removed, or is not below the root.
std::string WorkingDirectory();
// INVALID_ARGUMENT: the path is relative, and the working directory has no name. An empty one stays empty.
absl::StatusOr<std::string> AbsolutePath(const std::string& path);

// The policy that file and flags make, complete for this host and this directory, and what becomes of its lines here.
struct ExplainedPolicy {
  v1::SandboxPolicy policy;
  HostLayers host;
  std::vector<Enforcement> lines;
};
// All of it is tried. INVALID_ARGUMENT.
absl::StatusOr<ExplainedPolicy> ExplainPolicy(const SandboxFlags& flags);

// The policy, to start something under it. INVALID_ARGUMENT; FAILED_PRECONDITION: a line of it is not enforced here,
// and best effort is not enough. What the start itself finds out is not tried before.
absl::StatusOr<v1::SandboxPolicy> PolicyOf(const SandboxFlags& flags);

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_SANDBOX_H_
