#include "server/cli/sandbox.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/cli/arguments.h"
#include "server/floor/confinement.h"
#include "server/floor/explain.h"
#include "server/floor/policy.h"
#include "server/floor/policy_completion.h"
#include "server/floor/presets.h"
#include "server/launch/runtime_directory.h"

namespace guise::server {
namespace {

// How much is tried of what a start finds out anyway, and takes time.
enum class Effort { kAll, kNamespaces, kNothing };

HostLayers Look(Effort effort) {
  HostLayers host = LookAtHost();
  if (effort != Effort::kNothing) host.namespaces = Confinement::IsPossible();
  return host;
}

PolicySurroundings Surroundings(const HostLayers& host) {
  const char* const home = getenv("HOME");
  return {home == nullptr ? "" : home, WorkingDirectory(), RuntimeDirectory::DefaultPath(), host.namespaces};
}

absl::StatusOr<WrittenPolicy> ReadPolicy(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile("policy", path);
  if (!text.ok()) return text.status();
  return ParsePolicy(*text, absl::StrCat("policy ", path));
}

v1::Network NetworkOf(const std::string& word) {
  if (word == "host") return v1::NETWORK_HOST;
  return word == "loopback" ? v1::NETWORK_LOOPBACK : v1::NETWORK_NONE;
}

// What file and flags say, in that order.
absl::StatusOr<WrittenPolicy> Written(const SandboxFlags& flags) {
  absl::StatusOr<WrittenPolicy> written = flags.policy.empty() ? WrittenPolicy() : ReadPolicy(flags.policy);
  if (!written.ok()) return written;
  v1::SandboxPolicy& policy = written->policy;
  const auto overrides = [&](const char* field) { written->origin.lines.Forget(field); };
  if (!flags.preset.empty()) {
    policy.set_preset(flags.preset);
    overrides("preset");
  }
  for (const auto& [path, access] : flags.paths) {
    absl::StatusOr<std::string> absolute = AbsolutePath(path);
    if (!absolute.ok()) return absolute.status();
    v1::PathRule* const rule = policy.add_paths();
    rule->set_path(*std::move(absolute));
    rule->set_access(access);
  }
  if (!flags.network.empty()) {
    policy.set_network(NetworkOf(flags.network));
    overrides("network");
  }
  if (flags.processes != 0) {
    policy.set_processes(flags.processes);
    overrides("processes");
  }
  if (!flags.hostname.empty()) {
    policy.set_hostname(flags.hostname);
    overrides("hostname");
  }
  return written;
}

absl::StatusOr<ExplainedPolicy> Explained(const SandboxFlags& flags, Effort effort) {
  const absl::StatusOr<WrittenPolicy> written = Written(flags);
  if (!written.ok()) return written.status();
  // It is hidden, so it must be there.
  const absl::StatusOr<RuntimeDirectory> runtime = RuntimeDirectory::Make(RuntimeDirectory::DefaultPath());
  if (!runtime.ok()) return runtime.status();
  HostLayers host = Look(effort);
  absl::StatusOr<v1::SandboxPolicy> policy = CompletePolicy(written->policy, Surroundings(host), written->origin);
  if (!policy.ok()) return policy.status();
  const bool limits = AsksForProcesses(written->policy);
  if (effort == Effort::kAll || (effort == Effort::kNothing && limits)) host.no_limit = WhyNoLimit();
  std::vector<Enforcement> lines = Explain(*policy, limits, host);
  return ExplainedPolicy{*std::move(policy), std::move(host), std::move(lines)};
}

}  // namespace

std::string WorkingDirectory() {
  char path[PATH_MAX];
  // ABI: getcwd(3): "(unreachable)" stands before what is not below the root.
  return getcwd(path, sizeof(path)) != nullptr && path[0] == '/' ? path : "";
}

absl::StatusOr<std::string> AbsolutePath(const std::string& path) {
  if (path.empty() || path[0] == '/') return path;
  const std::string here = WorkingDirectory();
  if (!here.empty()) return absl::StrCat(here, "/", path);
  return absl::InvalidArgumentError(
      absl::StrCat("path \"", path, "\": the working directory has no name any more; name an absolute path"));
}

void AddSandboxFlags(CLI::App& command, const std::shared_ptr<SandboxFlags>& flags) {
  command
      .add_option("--policy", flags->policy, "A sandbox's policy: a file with a guise.v1.SandboxPolicy, text or JSON")
      ->type_name("FILE")
      // A variable of a script that is not set, say: nothing would be left of what was to confine.
      ->check(
          [](const std::string& path) { return std::string(path.empty() ? "the name of a file is expected" : ""); });
  command.add_option("--preset", flags->preset, "What a sandbox's other rules are added to")
      ->check(CLI::IsMember(PresetNames()));
  const std::pair<const char*, v1::Access> words[] = {{"--ro", v1::ACCESS_READ_ONLY},
                                                      {"--rw", v1::ACCESS_READ_WRITE},
                                                      {"--hide", v1::ACCESS_HIDDEN},
                                                      {"--tmp", v1::ACCESS_TEMPORARY}};
  for (const auto& [word, access] : words) {
    const std::string help = absl::StrCat("A sandbox's rule of a path, which is then ",
                                          access == v1::ACCESS_READ_ONLY    ? "read-only"
                                          : access == v1::ACCESS_READ_WRITE ? "writable"
                                          : access == v1::ACCESS_HIDDEN     ? "hidden"
                                                                            : "an empty directory of its own",
                                          "; the last that matches decides; may be given again");
    command
        .add_option_function<std::vector<std::string>>(
            word,
            [flags, access = access](const std::vector<std::string>& paths) {
              for (const std::string& path : paths) flags->paths.emplace_back(path, access);
            },
            help)
        ->type_name("PATH")
        ->allow_extra_args(false)
        ->trigger_on_parse()
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  command.add_option("--net", flags->network, "A sandbox's network: none, a loopback of its own, or the host's")
      ->check(CLI::IsMember({"none", "loopback", "host"}));
  command
      .add_option("--processes", flags->processes,
                  "How many processes and threads a sandbox has at most; guise-init is one of them: 2 or more")
      ->type_name("N")
      ->check(CLI::Range(2u, 1u << 20));
  command.add_flag("--best-effort", flags->best_effort,
                   "Start a sandbox also when a part of what was asked for cannot be enforced here");
  command.add_option("--hostname", flags->hostname, "A sandbox's name of its host")->type_name("NAME");
}

absl::StatusOr<ExplainedPolicy> ExplainPolicy(const SandboxFlags& flags) { return Explained(flags, Effort::kAll); }

absl::StatusOr<v1::SandboxPolicy> PolicyOf(const SandboxFlags& flags) {
  absl::StatusOr<ExplainedPolicy> explained =
      Explained(flags, flags.best_effort ? Effort::kNamespaces : Effort::kNothing);
  if (!explained.ok()) return explained.status();
  if (flags.best_effort) return explained->policy;
  if (absl::Status status = CheckEnforced(explained->lines); !status.ok()) return status;
  return explained->policy;
}

}  // namespace guise::server
