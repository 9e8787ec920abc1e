// How a probe is made.
#ifndef GUISE_SERVER_CLI_DOCTOR_PROBE_H_
#define GUISE_SERVER_CLI_DOCTOR_PROBE_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "server/cli/doctor/probes.h"

namespace guise::server {

// Builds a finding: `error` is 0 (present), or the errno with which the kernel refused.
Finding FindingOf(std::string name, int error, std::string state_when_present, Severity severity, std::string hint);

// How a child ended that tried something.
struct Trial {
  int error;      // what `attempt` returned: 0 or an errno
  int killed_by;  // a signal, or 0
  bool done() const { return error == 0 && killed_by == 0; }
  // The kernel's word on it: "" when done.
  std::string Words() const;
};

// Calls `attempt` in a child. It returns 0 or an errno.
Trial TryInChild(absl::FunctionRef<int()> attempt);

// As FindingOf, from what a child found.
Finding FindingOf(std::string name, const Trial& trial, std::string state_when_present, Severity severity,
                  std::string hint);

// "Operation not permitted (EPERM)", and what EPERM and ENOSYS mean of a syscall: refused by a filter or policy, or
// not known to this kernel.
std::string ErrorWords(int error);

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_DOCTOR_PROBE_H_
