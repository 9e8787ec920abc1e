#include "server/floor/policy.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/text/json_proto.h"
#include "proto/text/text_proto.h"
#include "server/floor/presets.h"

namespace guise::server {
namespace {

constexpr uint32_t kMostProcesses = 1u << 20;
constexpr size_t kLongestHostname = 64;  // ABI: uname(2)

bool IsGoodHostname(const std::string& name) {
  return name.size() <= kLongestHostname && std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '.';
         });
}

}  // namespace

absl::Status PolicyError(const std::string& origin, const std::string& what) {
  return absl::InvalidArgumentError(origin.empty() ? what : absl::StrCat(origin, ": ", what));
}

std::string PolicyOrigin::Of(const std::string& field) const {
  const int line = lines.Of(field);
  return line == 0 ? "" : absl::StrCat(source, ", line ", line);
}

absl::StatusOr<WrittenPolicy> ParsePolicy(std::string_view text, const std::string& source) {
  WrittenPolicy written;
  written.origin.source = source;
  const size_t start = text.find_first_not_of(" \t\r\n");
  const bool is_json = start != std::string_view::npos && text[start] == '{';
  absl::Status status = is_json ? ParseJsonProto(text, source, &written.policy, &written.origin.lines)
                                : ParseTextProto(text, source, &written.policy, &written.origin.lines);
  if (!status.ok()) return status;
  for (int i = 0; i < written.policy.paths_size(); ++i) {
    written.policy.mutable_paths(i)->set_origin(written.origin.Of(absl::StrCat("paths[", i, "]")));
  }
  return written;
}

absl::Status CheckValues(const v1::SandboxPolicy& policy, const PolicyOrigin& origin) {
  if (FindPreset(policy.preset()) == nullptr) {
    return PolicyError(origin.Of("preset"), absl::StrCat("there is no preset \"", policy.preset(), "\"; presets are ",
                                                         absl::StrJoin(PresetNames(), ", ")));
  }
  if (policy.paths_size() > kMostPaths) {
    return PolicyError(origin.source, absl::StrCat("the policy has ", policy.paths_size(), " rules of paths; at most ",
                                                   kMostPaths, ": name directories instead of what is in them"));
  }
  for (const v1::PathRule& rule : policy.paths()) {
    const std::string what = absl::StrCat("path \"", absl::CHexEscape(rule.path()), "\"");
    if (rule.path().empty() || rule.path()[0] != '/') {
      return PolicyError(rule.origin(), absl::StrCat(what, " is not absolute; begin it with a slash"));
    }
    if (rule.path().find('\0') != std::string::npos) {
      return PolicyError(rule.origin(), absl::StrCat(what, " has a NUL byte in it; no file has such a name"));
    }
    if (rule.access() == v1::ACCESS_UNSPECIFIED || !v1::Access_IsValid(rule.access())) {
      return PolicyError(rule.origin(), absl::StrCat(what,
                                                     " has no access; say ro, rw, hide or tmp (in a file: "
                                                     "ACCESS_READ_ONLY, _READ_WRITE, _HIDDEN or _TEMPORARY)"));
    }
  }
  if (!v1::Network_IsValid(policy.network())) {
    return PolicyError(origin.Of("network"), "unknown network; say none, loopback or host");
  }
  if (policy.processes() == 1) {
    return PolicyError(origin.Of("processes"), "1 process: guise-init is one, and the program another; say 2 or more");
  }
  if (policy.processes() > kMostProcesses) {
    return PolicyError(origin.Of("processes"),
                       absl::StrCat(policy.processes(), " processes: at most ", kMostProcesses));
  }
  if (!v1::Floor_IsValid(policy.floor())) {
    return PolicyError(origin.Of("floor"), "unknown floor; say FLOOR_NAMESPACES or FLOOR_LANDLOCK, or leave it out");
  }
  if (!IsGoodHostname(policy.hostname())) {
    return PolicyError(origin.Of("hostname"),
                       absl::StrCat("hostname \"", absl::CHexEscape(policy.hostname()), "\": at most ",
                                    kLongestHostname, " letters, digits, dashes and dots"));
  }
  return absl::OkStatus();
}

const v1::PathRule* RuleOf(const v1::SandboxPolicy& policy, std::string_view path) {
  const v1::PathRule* found = nullptr;
  for (const v1::PathRule& rule : policy.paths()) {
    if (IsAtOrBelow(path, rule.path())) found = &rule;
  }
  return found;
}

v1::Access AccessOf(const v1::SandboxPolicy& policy, std::string_view path) {
  const v1::PathRule* const rule = RuleOf(policy, path);
  return rule == nullptr ? v1::ACCESS_READ_ONLY : rule->access();
}

bool IsAtOrBelow(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path.substr(0, directory.size()) == directory &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

bool IsSeen(v1::Access access) { return access == v1::ACCESS_READ_ONLY || access == v1::ACCESS_READ_WRITE; }

std::string_view NameOf(v1::Access access) {
  switch (access) {
    case v1::ACCESS_READ_ONLY:
      return "ro";
    case v1::ACCESS_READ_WRITE:
      return "rw";
    case v1::ACCESS_HIDDEN:
      return "hide";
    case v1::ACCESS_TEMPORARY:
      return "tmp";
    default:
      return "none";
  }
}

std::string_view NameOf(v1::Network network) {
  switch (network) {
    case v1::NETWORK_HOST:
      return "host";
    case v1::NETWORK_LOOPBACK:
      return "loopback";
    default:
      return "none";
  }
}

}  // namespace guise::server
