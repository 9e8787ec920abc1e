#include "server/floor/policy_completion.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/floor/presets.h"

namespace guise::server {
namespace {

// One that every host can look up: programs ask for the address of their own.
constexpr char kHostname[] = "localhost";

// What a protobuf string may be; surrogates and needless length are not looked for, the parser refuses them.
bool IsUtf8(std::string_view text) {
  size_t follow = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool follows = (byte & 0xc0) == 0x80;
    if (follows != (follow > 0)) return false;
    if (follows) {
      --follow;
    } else if (byte >= 0xc0) {
      follow = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    }
  }
  return follow == 0;
}

// nullopt: there is none, and errno says why.
std::optional<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), &free);
  return real == nullptr ? std::nullopt : std::optional<std::string>(real.get());
}

// A rule is text.
absl::Status CheckText(const std::string& path, const std::string& origin = "") {
  if (IsUtf8(path)) return absl::OkStatus();
  return PolicyError(origin, absl::StrCat("path \"", absl::CHexEscape(path),
                                          "\" is not UTF-8; name a directory above it, or rename it"));
}

absl::StatusOr<std::string> WithoutLinks(const std::string& path, const std::string& origin = "") {
  std::optional<std::string> real = RealPath(path);
  if (!real.has_value()) {
    return PolicyError(origin, absl::StrCat("path \"", path, "\": ", strerror(errno),
                                            "; rules name what is there: make it, or leave the rule out"));
  }
  if (absl::Status status = CheckText(*real, origin); !status.ok()) return status;
  return *std::move(real);
}

void Add(v1::SandboxPolicy& policy, const std::string& path, v1::Access access) {
  v1::PathRule* const rule = policy.add_paths();
  rule->set_path(path);
  rule->set_access(access);
}

// Which of the directories that every sandbox has of its own the path is, or is below; null: none.
const char* OwnDirectory(const std::string& path) {
  for (const char* const own : {"/proc", "/dev"}) {
    if (IsAtOrBelow(path, own)) return own;
  }
  return nullptr;
}

// Where else a /proc of the host's is mounted: it would show all processes.
std::vector<std::string> OtherProcs() {
  std::vector<std::string> found;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    // ABI: proc_pid_mountinfo(5): id, parent, device, root, mount point, options, optional fields, "-", type.
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 5 || dash == fields.end() || dash + 1 == fields.end() || *(dash + 1) != "proc") continue;
    if (!IsAtOrBelow(fields[4], "/proc")) found.push_back(fields[4]);
  }
  return found;
}

std::string HomeOfUser() {
  const passwd* const user = getpwuid(geteuid());
  return user == nullptr || user->pw_dir == nullptr ? "" : user->pw_dir;
}

// A rule of a preset: nothing where the host has no such path, or other rules do as much. INVALID_ARGUMENT: there is
// one, which no rule can name.
absl::Status AddIfThere(v1::SandboxPolicy& policy, const std::string& path, v1::Access access) {
  const std::optional<std::string> real = path.empty() || path[0] != '/' ? std::nullopt : RealPath(path);
  if (!real.has_value() || *real == "/" || OwnDirectory(*real) != nullptr || AccessOf(policy, *real) == access) {
    return absl::OkStatus();
  }
  if (access == v1::ACCESS_HIDDEN && !IsSeen(AccessOf(policy, *real))) return absl::OkStatus();
  if (absl::Status status = CheckText(*real); !status.ok()) return status;
  Add(policy, *real, access);
  return absl::OkStatus();
}

absl::Status AddPreset(v1::SandboxPolicy& policy, const Preset& preset, const PolicySurroundings& surroundings,
                       bool needs_names) {
  Add(policy, "/", v1::ACCESS_READ_ONLY);
  std::vector<std::pair<std::string, v1::Access>> rules = {
      {"/tmp", v1::ACCESS_TEMPORARY},
      {"/var/tmp", v1::ACCESS_TEMPORARY},
      // Sockets of the host's services are no matter of reading or writing.
      {"/run", v1::ACCESS_HIDDEN},
  };
  if (preset.hides_home) {
    for (const std::string& path : {std::string("/home"), std::string("/root"), HomeOfUser(), surroundings.home}) {
      rules.emplace_back(path, v1::ACCESS_HIDDEN);
    }
  }
  for (const std::string& path : preset.hidden) rules.emplace_back(path, v1::ACCESS_HIDDEN);
  for (const std::string& path : OtherProcs()) rules.emplace_back(path, v1::ACCESS_HIDDEN);
  if (preset.writes_working_directory) rules.emplace_back(surroundings.working_directory, v1::ACCESS_READ_WRITE);
  // Names of the network are of no use without the file that resolves them, which often lies in /run.
  if (needs_names) rules.emplace_back("/etc/resolv.conf", v1::ACCESS_READ_ONLY);
  for (const auto& [path, access] : rules) {
    if (absl::Status status = AddIfThere(policy, path, access); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// What makes the working directory writable must find one that a rule can make so.
absl::Status CheckWorkingDirectory(const Preset& preset, const PolicySurroundings& surroundings,
                                   const std::string& origin) {
  const std::string& here = surroundings.working_directory;
  if (!preset.writes_working_directory) return absl::OkStatus();
  const std::string what = absl::StrCat("preset \"", preset.name, "\" makes the working directory writable, which ");
  if (here.empty()) return PolicyError(origin, what + "has no name any more; go to one that there is");
  if (here == "/" || IsAtOrBelow(here, "/sys") || OwnDirectory(here) != nullptr) {
    return PolicyError(origin,
                       absl::StrCat(what, "is ", here,
                                    "; go to the directory that is to be written to, or name it (--rw PATH) under "
                                    "another preset"));
  }
  return absl::OkStatus();
}

// `rule`: with values that are good (CheckValues). `path`: its own, without links.
absl::Status CheckRule(const v1::PathRule& rule, const std::string& path) {
  const auto bad = [&](const std::string& what) {
    return PolicyError(rule.origin(), absl::StrCat("path \"", rule.path(), "\"", what));
  };
  if (rule.access() == v1::ACCESS_READ_WRITE && IsAtOrBelow(path, "/sys")) {
    return bad(": /sys is read-only in a sandbox; leave the rule out");
  }
  if (const char* const own = OwnDirectory(path)) {
    return bad(absl::StrCat(": a sandbox has a ", own, " of its own, which rules do not change; leave it out"));
  }
  const bool replaces = rule.access() == v1::ACCESS_HIDDEN || rule.access() == v1::ACCESS_TEMPORARY;
  if (path == "/" && replaces) return bad(" can be ro or rw; hide what is below it");
  struct stat status;
  if (rule.access() == v1::ACCESS_TEMPORARY && stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
    return bad(" is no directory; tmp is for those: hide it, or name its directory");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::SandboxPolicy> CompletePolicy(const v1::SandboxPolicy& policy,
                                                 const PolicySurroundings& surroundings, const PolicyOrigin& origin) {
  if (absl::Status status = CheckValues(policy, origin); !status.ok()) return status;
  const Preset& preset = *FindPreset(policy.preset());
  if (absl::Status status = CheckWorkingDirectory(preset, surroundings, origin.Of("preset")); !status.ok()) {
    return status;
  }
  v1::SandboxPolicy complete;
  complete.set_preset(preset.name);
  const bool needs_names = policy.network() == v1::NETWORK_HOST;
  if (absl::Status status = AddPreset(complete, preset, surroundings, needs_names); !status.ok()) return status;
  for (const v1::PathRule& rule : policy.paths()) {
    const absl::StatusOr<std::string> path = WithoutLinks(rule.path(), rule.origin());
    if (!path.ok()) return path.status();
    if (absl::Status status = CheckRule(rule, *path); !status.ok()) return status;
    Add(complete, *path, rule.access());
    complete.mutable_paths(complete.paths_size() - 1)->set_origin(rule.origin());
  }
  // Who may talk to the server can start guests outside.
  const absl::StatusOr<std::string> runtime = WithoutLinks(surroundings.runtime_directory);
  if (!runtime.ok()) return runtime.status();
  const bool shown = std::any_of(complete.paths().begin(), complete.paths().end(),
                                 [&](const v1::PathRule& rule) { return IsAtOrBelow(rule.path(), *runtime); });
  if ((shown || IsSeen(AccessOf(complete, *runtime))) && OwnDirectory(*runtime) == nullptr) {
    Add(complete, *runtime, v1::ACCESS_HIDDEN);
  }
  const int own = complete.paths_size() - policy.paths_size();
  if (complete.paths_size() > kMostPaths) {
    return PolicyError(origin.source, absl::StrCat("the policy has ", policy.paths_size(), " rules of paths, beside ",
                                                   own, " that all under its preset have; at most ", kMostPaths,
                                                   " together: name directories instead of what is in them"));
  }
  complete.set_network(policy.network() == v1::NETWORK_UNSPECIFIED ? v1::NETWORK_NONE : policy.network());
  complete.set_processes(policy.processes() == 0 ? preset.processes : policy.processes());
  complete.set_floor(policy.floor());
  if (policy.floor() == v1::FLOOR_UNSPECIFIED) {
    complete.set_floor(surroundings.has_namespaces ? v1::FLOOR_NAMESPACES : v1::FLOOR_LANDLOCK);
  }
  complete.set_hostname(policy.hostname().empty() ? kHostname : policy.hostname());
  return complete;
}

}  // namespace guise::server
