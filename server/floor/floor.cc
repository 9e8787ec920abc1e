#include "server/floor/floor.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/floor/explain.h"
#include "server/floor/policy.h"
#include "server/floor/visible_program.h"

namespace guise::server {

absl::StatusOr<Floor> Floor::Prepare(const v1::SandboxPolicy& policy, const std::string& program,
                                     const std::string& working_directory, pid_t guest) {
  if (absl::Status status = CheckVisible(policy, program); !status.ok()) return status;
  if (policy.floor() == v1::FLOOR_LANDLOCK) {
    absl::StatusOr<Restriction> restriction = Restriction::Prepare(policy, working_directory);
    if (!restriction.ok()) return restriction.status();
    return Floor(*std::move(restriction));
  }
  absl::StatusOr<Confinement> confinement = Confinement::Prepare(policy, working_directory, guest);
  if (!confinement.ok()) return confinement.status();
  return Floor(*std::move(confinement));
}

bool Floor::in_own_session() const {
  return std::visit([](const auto& kind) { return kind.in_own_session(); }, kind_);
}

const std::string& Floor::moved_to() const {
  return std::visit([](const auto& kind) -> const std::string& { return kind.moved_to(); }, kind_);
}

std::string Floor::NotEnforced(const v1::SandboxPolicy& policy) const {
  HostLayers host = LookAtHost();
  if (confinement() != nullptr) host.no_limit = confinement()->no_limit();
  return server::NotEnforced(Explain(policy, true, host), false);
}

void Floor::SetTmpdir(const v1::SandboxPolicy& policy, std::vector<std::string>& environment) const {
  constexpr absl::string_view kName = "TMPDIR=";
  const std::string instead = restriction() == nullptr ? "" : restriction()->temporary();
  environment.erase(std::remove_if(environment.begin(), environment.end(),
                                   [&](const std::string& variable) {
                                     if (!absl::StartsWith(variable, kName)) return false;
                                     return !instead.empty() ||
                                            AccessOf(policy, variable.substr(kName.size())) == v1::ACCESS_HIDDEN;
                                   }),
                    environment.end());
  if (!instead.empty()) environment.push_back(absl::StrCat(kName, instead));
}

}  // namespace guise::server
