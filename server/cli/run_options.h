// The options of `guise run`: what the new session is to be.
#ifndef GUISE_SERVER_CLI_RUN_OPTIONS_H_
#define GUISE_SERVER_CLI_RUN_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/control/v1/sessions.pb.h"
#include "server/cli/sandbox.h"

namespace guise::server {

// As they are on the command line, with the defaults that --help shows.
struct RunOptions {
  std::string personality = "linux";
  std::string name;
  std::vector<std::string> places;
  std::string guest_seccomp = "shim";
  std::string unshimmed = "run";
  std::string mechanism = "rewrite";
  std::string kernel = "host";
  std::string config;  // a file; empty: where a user's is
  std::shared_ptr<SandboxFlags> sandbox = std::make_shared<SandboxFlags>();
  uint32_t rewrite_after = 0;
  bool no_shim = false;
};

void AddRunOptions(CLI::App& run, const std::shared_ptr<RunOptions>& options);

// With what the user's config file says. INVALID_ARGUMENT: options that do not go together, or a file that cannot be;
// the errors of PolicyOf.
absl::StatusOr<v1::CreateSessionRequest> ToRequest(const RunOptions& options);

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_RUN_OPTIONS_H_
