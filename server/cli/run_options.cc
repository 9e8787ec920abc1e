#include "server/cli/run_options.h"

#include <utility>

#include "absl/status/status.h"
#include "proto/wire/published.h"
#include "server/cli/arguments.h"
#include "server/cli/config.h"

namespace guise::server {

void AddRunOptions(CLI::App& run, const std::shared_ptr<RunOptions>& options) {
  run.add_option("-p,--personality", options->personality, "The session's stack: names with commas between")
      ->type_name("STACK")
      ->capture_default_str();
  run.add_option("-n,--name", options->name, "A name for the session")->type_name("NAME");
  run.add_option("--place", options->places, "Where a syscall is answered; may be given again")
      ->type_name("SYSCALL=WHERE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  run.add_option(
         "--keep-guest-seccomp", options->guest_seccomp,
         "Who runs the program's own seccomp filters: the shim, for the program's calls; or (exact) the kernel\n"
         "as well, which no code can go around, but which the shim's calls must pass, too")
      ->check(CLI::IsMember({"shim", "exact"}))
      ->capture_default_str();
  run.add_option("--unshimmed", options->unshimmed,
                 "Programs that cannot run inside (set-uid, with file capabilities, not readable, 32-bit): run them\n"
                 "outside of the session, with a notice; or refuse them")
      ->check(CLI::IsMember({"run", "refuse"}))
      ->capture_default_str();
  run.add_option("--mechanism", options->mechanism,
                 "How calls are caught: rewrite puts jumps into the program's text, where calls are made often; sud\n"
                 "leaves the text as it is, and each call costs a signal (for programs that read their own code)")
      ->check(CLI::IsMember({"rewrite", "sud"}))
      ->capture_default_str();
  run.add_option("--rewrite-after", options->rewrite_after,
                 "With rewrite: the call at which a place in the text is rewritten (default: Guise chooses)")
      ->type_name("CALLS")
      ->check(CLI::Range(1u, wire::kMostRewriteAfter));
  run.add_option("--config", options->config,
                 "What holds for each session: a file with a guise.v1.Config (default:\n"
                 "$XDG_CONFIG_HOME/guise/config.textproto, or ~/.config/guise/config.textproto)")
      ->type_name("FILE");
  run.add_option("--kernel", options->kernel,
                 "What the kernel itself answers: host, all that it has; generic, only what newer architectures have,\n"
                 "too (no open, stat, fork, poll, ...): the stack's layer legacy answers the others")
      ->check(CLI::IsMember({"host", "generic"}))
      ->capture_default_str();
  AddSandboxFlags(run, options->sandbox);
  run.add_flag("--no-shim", options->no_shim,
               "A sandbox alone: the program runs without the shim and without a session; what is hidden is there and\n"
               "cannot be opened, and `guise ps` does not show it");
}

absl::StatusOr<v1::CreateSessionRequest> ToRequest(const RunOptions& options) {
  v1::CreateSessionRequest request;
  absl::StatusOr<v1::Stack> stack = ParseStack(options.personality);
  if (!stack.ok()) return stack.status();
  *request.mutable_stack() = *std::move(stack);
  request.set_name(options.name);
  request.set_exact_guest_seccomp(options.guest_seccomp == "exact");
  request.set_refuse_unshimmed(options.unshimmed == "refuse");
  request.set_mechanism(options.mechanism == "sud" ? v1::MECHANISM_SUD : v1::MECHANISM_REWRITE);
  request.set_rewrite_after(options.rewrite_after);
  absl::StatusOr<v1::Config> config = ReadConfig(options.config);
  if (!config.ok()) return config.status();
  *request.mutable_programs() = std::move(*config->mutable_programs());
  bool sandboxed = false;
  for (const std::string& layer : request.stack().layers()) sandboxed |= layer == "sandboxed";
  if (options.sandbox->any() && !sandboxed) {
    return absl::InvalidArgumentError("flags of a sandbox without one; add --personality sandboxed");
  }
  if (options.no_shim && (request.stack().layers_size() != 1 || !sandboxed)) {
    return absl::InvalidArgumentError(
        "--no-shim leaves nothing of a stack but a sandbox; say --personality sandboxed, or leave it out");
  }
  if (options.no_shim && (!options.name.empty() || !options.places.empty() || options.kernel == "generic")) {
    return absl::InvalidArgumentError(
        "--no-shim leaves no session to name or to place calls in, and nothing that answers calls; leave the other "
        "flag "
        "out");
  }
  if (sandboxed) {
    absl::StatusOr<v1::SandboxPolicy> policy = PolicyOf(*options.sandbox);
    if (!policy.ok()) return policy.status();
    *request.mutable_sandbox() = *std::move(policy);
  }
  request.set_kernel(options.kernel == "generic" ? v1::KERNEL_GENERIC : v1::KERNEL_HOST);
  for (const std::string& place : options.places) {
    absl::StatusOr<v1::PlacementOverride> parsed = ParsePlacement(place);
    if (!parsed.ok()) return parsed.status();
    *request.add_overrides() = *std::move(parsed);
  }
  return request;
}

}  // namespace guise::server
