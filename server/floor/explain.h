// Which layer of the floor enforces each line of a policy on this host, and what none does. It is the only place that
// knows: what `guise policy` says, what `guise run` refuses and what it tells of a best effort are these lines.
#ifndef GUISE_SERVER_FLOOR_EXPLAIN_H_
#define GUISE_SERVER_FLOOR_EXPLAIN_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/control/v1/sandbox.pb.h"

namespace guise::server {

// What of this host a sandbox rests on.
struct HostLayers {
  bool is_root = false;
  bool namespaces = true;
  bool landlock = true;
  bool landlock_keeps_signals = true;
  bool landlock_keeps_lengths = true;
  // Why processes are not limited where there are namespaces; empty: they are.
  std::string no_limit;
};

// What can be seen at no cost. The rest, which is taken to be there: Confinement::IsPossible() and WhyNoLimit().
HostLayers LookAtHost();
// To find out takes a cgroup, made and removed. Empty: processes can be limited.
std::string WhyNoLimit();
// The same, of a cgroup that could not be made for root.
std::string WhyNoLimit(const absl::Status& no_cgroup);

struct Enforcement {
  std::string line;     // of the policy, in the words of the flags
  std::string layer;    // of the floor
  std::string missing;  // why it is not enforced here; empty: it is
  // Else it is a default that nobody has asked for, and that a sandbox starts without.
  bool is_promise = true;

  bool IsBroken() const { return is_promise && !missing.empty(); }
};

// `policy`: complete. `limits_by_request`: its limit of processes was asked for (AsksForProcesses).
std::vector<Enforcement> Explain(const v1::SandboxPolicy& policy, bool limits_by_request, const HostLayers& host);

// "LINE: why not; LINE: why not", of all lines that are not enforced, or of broken promises alone; empty: of none.
std::string NotEnforced(const std::vector<Enforcement>& lines, bool promises_alone);

// FAILED_PRECONDITION: a promise is broken, and best effort can do without.
absl::Status CheckEnforced(const std::vector<Enforcement>& lines);

// FAILED_PRECONDITION: there can be no such sandbox here, by no effort.
absl::Status CheckPossible(const v1::SandboxPolicy& policy, const HostLayers& host);

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_EXPLAIN_H_
