#include "server/cli/doctor/probe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace guise::server {

std::string ErrorWords(int error) {
  const char* name = strerrorname_np(error);
  std::string words = absl::StrCat(strerror(error), " (", name != nullptr ? name : "unknown", ")");
  if (error == EPERM) absl::StrAppend(&words, ", refused by a filter or policy");
  if (error == ENOSYS) absl::StrAppend(&words, ", not in this kernel or filtered");
  return words;
}

Finding FindingOf(std::string name, int error, std::string state_when_present, Severity severity, std::string hint) {
  if (error == 0) return {std::move(name), true, std::move(state_when_present), severity, ""};
  return {std::move(name), false, ErrorWords(error), severity, std::move(hint)};
}

std::string Trial::Words() const {
  if (killed_by != 0) return absl::StrCat("killed by SIG", sigabbrev_np(killed_by));
  return error == 0 ? "" : ErrorWords(error);
}

Trial TryInChild(absl::FunctionRef<int()> attempt) {
  const pid_t child = fork();
  if (child < 0) return {errno, 0};
  if (child == 0) {
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    _exit(attempt());  // errnos of Linux fit into an exit status
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

Finding FindingOf(std::string name, const Trial& trial, std::string state_when_present, Severity severity,
                  std::string hint) {
  if (trial.done()) return {std::move(name), true, std::move(state_when_present), severity, ""};
  return {std::move(name), false, trial.Words(), severity, std::move(hint)};
}

}  // namespace guise::server
