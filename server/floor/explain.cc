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

}  // namespace

std::vector<Enforcement> Explain(const v1::SandboxPolicy& policy) {
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
  const std::string missing = WhyProcessesAreNotLimited();
  if (asked.processes() == 0 || missing.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("--processes ", policy.processes(), " is not enforced here: ", missing, ", or add --best-effort"));
}

}  // namespace guise::server
