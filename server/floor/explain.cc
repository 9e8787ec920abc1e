#include "server/floor/explain.h"

#include <unistd.h>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/floor/landlock.h"
#include "server/floor/policy.h"
#include "server/floor/process_cgroup.h"

namespace guise::server {
namespace {

const char* LayerOf(v1::Access access) {
  switch (access) {
    case v1::ACCESS_READ_ONLY:
      return "a read-only mount in a mount namespace";
    case v1::ACCESS_READ_WRITE:
      return "a mount of the host's in a mount namespace; what may be written is the file system's to say";
    case v1::ACCESS_HIDDEN:
      return "an object that nobody can open, mounted over it; other names of it are not hidden";
    default:
      return "a file system in memory over it";
  }
}

const char* LayerOf(v1::Network network) {
  switch (network) {
    case v1::NETWORK_NONE:
      return "a network namespace whose loopback is down";
    case v1::NETWORK_LOOPBACK:
      return "a network namespace with a loopback";
    default:
      return "nothing: the host's network, abstract unix sockets among it";
  }
}

std::string LineOf(const v1::PathRule& rule) {
  return absl::StrCat("--", std::string(NameOf(rule.access())), " ", rule.path());
}

constexpr char kWithoutLandlock[] = "0, 1 and 2 can be opened again for writing: this kernel has no Landlock";

// Of a sandbox with namespaces.
std::vector<Enforcement> ExplainNamespaces(const v1::SandboxPolicy& policy, const HostLayers& host) {
  std::vector<Enforcement> lines;
  for (const v1::PathRule& rule : policy.paths()) lines.push_back({LineOf(rule), LayerOf(rule.access()), ""});
  lines.push_back({absl::StrCat("--net ", std::string(NameOf(policy.network()))), LayerOf(policy.network()), ""});
  lines.push_back({absl::StrCat("--processes ", policy.processes()),
                   absl::StrCat(host.is_root ? "the pids controller of a cgroup" : "RLIMIT_NPROC",
                                "; threads and guise-init are counted"),
                   host.no_limit});
  lines.push_back({absl::StrCat("--hostname ", policy.hostname()), "a UTS namespace", ""});
  // What every sandbox has.
  lines.push_back({"other processes", "a pid namespace and an IPC namespace; /proc shows the session's", ""});
  lines.push_back(
      {"privileges", "no capabilities, none to gain: bounding set, securebits, no_new_privs; mounts are nosuid", ""});
  lines.push_back(
      {"the kernel",
       "a seccomp filter; /proc/sys and its like are read-only; /dev has six devices and terminals of its own", ""});
  lines.push_back({"descriptors", "those beyond 0, 1 and 2 are closed; Landlock keeps those from being opened for more",
                   host.landlock ? "" : kWithoutLandlock});
  return lines;
}

// Of a sandbox without.
std::vector<Enforcement> ExplainLandlock(const v1::SandboxPolicy& policy, const HostLayers& host) {
  std::vector<Enforcement> lines;
  for (const v1::PathRule& rule : policy.paths()) {
    switch (rule.access()) {
      case v1::ACCESS_TEMPORARY:
        lines.push_back({LineOf(rule), "", "hidden instead; TMPDIR names an empty directory of the session's own"});
        break;
      case v1::ACCESS_HIDDEN:
        lines.push_back({LineOf(rule),
                         "Landlock: it cannot be opened or listed (EACCES); that it is there, and whose, how large and "
                         "how old, stat(2) shows",
                         ""});
        break;
      default:
        lines.push_back({LineOf(rule),
                         "Landlock: what is in files, and their names; not modes, owners, times, user. attributes and "
                         "access lists of the user's own files",
                         ""});
    }
  }
  lines.push_back({"directories above rules",
                   "Landlock, by what was in them at the start: they are not listed (`ls /` is refused), and nothing "
                   "is made in them",
                   ""});
  const std::string network = absl::StrCat("--net ", std::string(NameOf(policy.network())));
  if (policy.network() == v1::NETWORK_LOOPBACK) {
    lines.push_back({network, "", "no network namespace: there are no sockets, as with none"});
  } else {
    lines.push_back(
        {network,
         policy.network() == v1::NETWORK_HOST ? "the filter: sockets of IPv4 and IPv6 alone" : "the filter: no sockets",
         ""});
  }
  lines.push_back(
      {absl::StrCat("--processes ", policy.processes()), "", "RLIMIT_NPROC would count the user's other processes"});
  lines.push_back({absl::StrCat("--hostname ", policy.hostname()), "", "no UTS namespace: the host's name is shown"});
  lines.push_back({"other processes", "",
                   host.landlock_keeps_signals
                       ? "they are seen; Landlock keeps them from being traced and signalled"
                       : "they are seen, and those of the user signalled; Landlock keeps them from being traced"});
  lines.push_back({"end", "", "no pid namespace: processes may outlive the session's program"});
  lines.push_back({"privileges", "no capabilities, none to gain: no_new_privs", ""});
  lines.push_back({"the kernel", "a seccomp filter; /proc and /sys are the host's, read-only", ""});
  if (!host.landlock_keeps_lengths) {
    lines.push_back({"lengths of files", "the filter: no truncate(2), no openat2(2)", ""});
  }
  lines.push_back(
      {"descriptors", "those beyond 0, 1 and 2 are closed; Landlock keeps those from being opened for more", ""});
  return lines;
}

}  // namespace

HostLayers LookAtHost() {
  HostLayers host;
  host.is_root = geteuid() == 0;
  host.landlock = HasLandlock();
  host.landlock_keeps_signals = LandlockKeepsSignals();
  host.landlock_keeps_lengths = LandlockKeepsLengths();
  return host;
}

// ABI: kernel/cred.c and fork.c: RLIMIT_NPROC does not bind the initial user namespace's root.
std::string WhyNoLimit(const absl::Status& no_cgroup) {
  return absl::StrCat("root is exempt from RLIMIT_NPROC, and ", std::string(no_cgroup.message()),
                      "; run it as an ordinary user");
}

std::string WhyNoLimit() {
  if (geteuid() != 0) return "";
  const absl::StatusOr<ProcessCgroup> cgroup = ProcessCgroup::Make(1);
  return cgroup.ok() ? "" : WhyNoLimit(cgroup.status());
}

std::vector<Enforcement> Explain(const v1::SandboxPolicy& policy, bool limits_by_request, const HostLayers& host) {
  const bool has_namespaces = policy.floor() != v1::FLOOR_LANDLOCK;
  std::vector<Enforcement> lines = has_namespaces ? ExplainNamespaces(policy, host) : ExplainLandlock(policy, host);
  const bool has_ground = has_namespaces ? host.namespaces : host.landlock;
  const std::string limit = absl::StrCat("--processes ", policy.processes());
  for (Enforcement& line : lines) {
    if (!has_ground && line.missing.empty()) {
      line.missing = has_namespaces ? "no namespaces can be made here" : "this kernel has no Landlock";
    }
    if (line.line == limit) line.is_promise = limits_by_request;
  }
  return lines;
}

std::string NotEnforced(const std::vector<Enforcement>& lines, bool promises_alone) {
  std::string all;
  for (const Enforcement& line : lines) {
    if (line.missing.empty() || (promises_alone && !line.is_promise)) continue;
    absl::StrAppend(&all, all.empty() ? "" : "; ", line.line, " (", line.missing, ")");
  }
  return all;
}

absl::Status CheckEnforced(const std::vector<Enforcement>& lines) {
  const std::string broken = NotEnforced(lines, true);
  if (broken.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "not enforced here: ", broken, "; `guise doctor` says what this host lacks, and --best-effort does without"));
}

absl::Status CheckPossible(const v1::SandboxPolicy& policy, const HostLayers& host) {
  if (policy.floor() == v1::FLOOR_LANDLOCK) {
    if (host.landlock) return absl::OkStatus();
    return absl::FailedPreconditionError(
        host.namespaces ? "no sandbox without namespaces can be made here: this kernel has no Landlock; leave "
                          "`floor: FLOOR_LANDLOCK` out of the policy"
                        : "no sandbox can be made here: neither namespaces (`guise doctor` says why) nor Landlock");
  }
  if (host.namespaces) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the policy asks for namespaces, and none can be made here (`guise doctor` says why); leave `floor: "
      "FLOOR_NAMESPACES` out, and add --best-effort");
}

}  // namespace guise::server
