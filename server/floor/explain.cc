#include "server/floor/explain.h"

#include <unistd.h>

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
      return "an empty, read-only mount over it";
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

// ABI: kernel/cred.c and fork.c: RLIMIT_NPROC does not bind the initial user namespace's root.
std::string WhyProcessesAreNotLimited() {
  if (geteuid() != 0) return "";
  const absl::StatusOr<ProcessCgroup> cgroup = ProcessCgroup::Make(1);
  if (cgroup.ok()) return "";
  return absl::StrCat("root is exempt from RLIMIT_NPROC, and ", std::string(cgroup.status().message()),
                      "; run it as an ordinary user");
}

// Of a sandbox without namespaces.
std::vector<Enforcement> ExplainWithout(const v1::SandboxPolicy& policy) {
  std::vector<Enforcement> lines;
  const auto name = [](const v1::PathRule& rule) {
    return absl::StrCat("--", std::string(NameOf(rule.access())), " ", rule.path());
  };
  for (const v1::PathRule& rule : policy.paths()) {
    switch (rule.access()) {
      case v1::ACCESS_TEMPORARY:
        lines.push_back({name(rule), "", "hidden instead; TMPDIR names an empty directory of the session's own"});
        break;
      case v1::ACCESS_HIDDEN:
        lines.push_back({name(rule), "Landlock: it cannot be opened or listed; that it is there can be seen", ""});
        break;
      default:
        lines.push_back({name(rule), "Landlock: what is in files, and their names; not modes, owners and times", ""});
    }
  }
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
                   LandlockKeepsSignals()
                       ? "they are seen; Landlock keeps them from being traced and signalled"
                       : "they are seen, and those of the user signalled; Landlock keeps them from being traced"});
  lines.push_back({"end", "", "no pid namespace: processes may outlive the session's program"});
  lines.push_back({"privileges", "no_new_privs, and as root no capabilities", ""});
  lines.push_back({"the kernel", "a seccomp filter; /proc and /sys are the host's, read-only", ""});
  if (!LandlockKeepsLengths()) lines.push_back({"lengths of files", "the filter: no truncate(2), no openat2(2)", ""});
  lines.push_back(
      {"descriptors", "those beyond 0, 1 and 2 are closed; Landlock keeps those from being opened for more", ""});
  return lines;
}

}  // namespace

std::vector<Enforcement> Explain(const v1::SandboxPolicy& policy) {
  if (policy.floor() == v1::FLOOR_LANDLOCK) return ExplainWithout(policy);
  std::vector<Enforcement> lines;
  for (const v1::PathRule& rule : policy.paths()) {
    lines.push_back(
        {absl::StrCat("--", std::string(NameOf(rule.access())), " ", rule.path()), LayerOf(rule.access()), ""});
  }
  lines.push_back({absl::StrCat("--net ", std::string(NameOf(policy.network()))), LayerOf(policy.network()), ""});
  lines.push_back({absl::StrCat("--processes ", policy.processes()),
                   geteuid() == 0 ? "the pids controller of a cgroup" : "RLIMIT_NPROC", WhyProcessesAreNotLimited()});
  lines.push_back({absl::StrCat("--hostname ", policy.hostname()), "a UTS namespace", ""});
  // What every sandbox has.
  lines.push_back({"other processes", "a pid namespace and an IPC namespace; /proc shows the session's", ""});
  lines.push_back(
      {"privileges", "no capabilities, none to gain: bounding set, securebits, no_new_privs; mounts are nosuid", ""});
  lines.push_back(
      {"the kernel",
       "a seccomp filter; /proc/sys and its like are read-only; /dev has six devices and terminals of its own", ""});
  lines.push_back({"descriptors", "those beyond 0, 1 and 2 are closed; Landlock keeps those from being opened for more",
                   HasLandlock() ? "" : "0, 1 and 2 can be opened again for writing: this kernel has no Landlock"});
  return lines;
}

absl::Status CheckEnforced(const v1::SandboxPolicy& policy, const v1::SandboxPolicy& asked) {
  if (policy.floor() == v1::FLOOR_LANDLOCK) {
    return absl::FailedPreconditionError(
        "a sandbox without namespaces does not enforce all of its policy: `guise policy explain` says what, `guise "
        "doctor` "
        "why there are none; add --best-effort");
  }
  // To find out takes a cgroup, made and removed.
  const std::string missing = asked.processes() == 0 ? "" : WhyProcessesAreNotLimited();
  if (missing.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("--processes ", policy.processes(), " is not enforced here: ", missing, ", or add --best-effort"));
}

}  // namespace guise::server
