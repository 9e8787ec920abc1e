// What a session's kernel floor can be made of.
#include <errno.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "server/cli/doctor/probe.h"
#include "server/cli/doctor/probes.h"

namespace guise::server {
namespace {

int TryNotify() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program = {1, &allow};
  const auto listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  return listener >= 0 ? 0 : errno;
}

Finding Landlock() {
  const auto abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return FindingOf("Landlock", abi >= 0 ? 0 : errno, absl::StrCat("ABI ", abi), Severity::kInfo,
                   "file boundaries need namespaces instead; boot with lsm=landlock,...");
}

}  // namespace

std::vector<Finding> ProbeBoundary() {
  std::vector<Finding> findings;
  findings.push_back(FindingOf("seccomp user notification", TryInChild(TryNotify), "a listener was made",
                               Severity::kInfo, "decisions on pointers cannot be enforced by the kernel"));
  findings.push_back(Landlock());
  findings.push_back(FindingOf(
      "user namespaces", TryInChild([] { return unshare(CLONE_NEWUSER) == 0 ? 0 : errno; }), "made", Severity::kInfo,
      "/proc/PID/exe shows the shim to processes outside, unless root runs Guise; see user.max_user_namespaces"));
  return findings;
}

}  // namespace guise::server
