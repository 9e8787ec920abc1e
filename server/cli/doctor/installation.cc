// Guise's own files and directory.
#include <string>

#include "absl/status/statusor.h"
#include "server/cli/doctor/probe.h"
#include "server/cli/doctor/probes.h"
#include "server/launch/installed.h"
#include "server/launch/runtime_directory.h"

namespace guise::server {
namespace {

Finding FromStatus(std::string name, const absl::Status& status, std::string state_when_present) {
  if (status.ok()) return {std::move(name), true, std::move(state_when_present), Severity::kRequired, ""};
  const std::string message(status.message());
  const size_t remedy = message.rfind("; ");
  if (remedy == std::string::npos) return {std::move(name), false, message, Severity::kRequired, ""};
  return {std::move(name), false, message.substr(0, remedy), Severity::kRequired, message.substr(remedy + 2)};
}

}  // namespace

std::vector<Finding> ProbeInstallation() {
  const absl::StatusOr<OwnedFd> shim = OpenShimImage();
  const absl::StatusOr<std::string> server = FindServerBinary();
  const absl::StatusOr<RuntimeDirectory> directory = RuntimeDirectory::Make(RuntimeDirectory::DefaultPath());
  return {FromStatus("shim image", shim.status(), "found"),
          FromStatus("server binary", server.status(), server.ok() ? *server : ""),
          FromStatus("runtime directory", directory.status(), directory.ok() ? directory->path() : "")};
}

}  // namespace guise::server
