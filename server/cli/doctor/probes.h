// What `guise doctor` tries. Each probe asks the kernel for the thing itself and tells what it answered; none concludes
// from a version number. What may kill or change the process is tried in a forked child.
#ifndef GUISE_SERVER_CLI_DOCTOR_PROBES_H_
#define GUISE_SERVER_CLI_DOCTOR_PROBES_H_

#include <string>
#include <vector>

namespace guise::server {

// What it means for Guise that a thing is missing.
enum class Severity {
  kUnneeded,  // nothing: one thing less that a sandbox has to close
  kInfo,      // nothing that Guise does today
  kDegraded,  // something works worse, or is shown less well
  kRequired,  // no program can be run
};

struct Finding {
  std::string name;
  bool present;
  std::string state;  // what was found, with the kernel's own error where there is one
  Severity severity;  // of it missing
  std::string hint;   // what that means and what helps; empty when present
};

// By topic. REQUIRES: the process has one thread.
std::vector<Finding> ProbeInterception();  // catching syscalls, starting programs
std::vector<Finding> ProbeServing();       // the server: waiting, memories, life and death of processes
std::vector<Finding> ProbeFiles();         // what overlays need of file systems
std::vector<Finding> ProbeBoundary();      // what a kernel floor can be made of
std::vector<Finding> ProbeMachine();       // CPU, limits, settings
std::vector<Finding> ProbeInstallation();  // Guise's own files and directory
std::vector<Finding> ProbeSurface();       // what a program that is not confined reaches

// A child that executes this very binary under the name kProbeName ends with kProbeExit at once.
inline constexpr char kProbeName[] = "guise-probe";
inline constexpr int kProbeExit = 42;

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_DOCTOR_PROBES_H_
