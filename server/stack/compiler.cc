#include "server/stack/compiler.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/syscall/names.h"
#include "proto/syscall/table.h"

namespace guise::server {

using api::Claim;
using api::ClaimVerb;
using wire::Placement;

std::string CallName(uint32_t nr) {
  const std::string_view name = syscall::Name(nr);
  return name.empty() ? absl::StrCat("syscall ", nr) : std::string(name);
}

bool IsCallerOnly(uint32_t nr) {
  const syscall::Row* row = syscall::Find(nr);
  return row != nullptr && row->Has(syscall::Trait::CallerOnly);
}

absl::StatusOr<std::shared_ptr<const Epoch>> Epoch::Compiler::Run() {
  for (const auto step :
       {&Compiler::MakeLayers, &Compiler::CheckStacking, &Compiler::CheckKernel, &Compiler::CollectOverrides}) {
    if (absl::Status status = (this->*step)(); !status.ok()) return status;
  }
  for (size_t i = 0; i < Past::kCount; ++i) {
    if (absl::Status status = Fill(Past::At(i)); !status.ok()) return status;
  }
  return std::shared_ptr<const Epoch>(std::move(epoch_));
}

absl::Status Epoch::Compiler::MakeLayers() {
  std::vector<std::string>& names = epoch_->names_;
  names = spec_.layers.empty() ? std::vector<std::string>{"linux"} : spec_.layers;
  if (names.size() > kMaxLayers) {
    return absl::InvalidArgumentError(absl::StrCat("stack of ", names.size(), " layers: at most ", kMaxLayers));
  }
  std::optional<api::Identity> start;
  for (uint32_t layer = 0; layer < names.size(); ++layer) {
    const std::string& name = names[layer];
    const auto is_same = [&](const std::string& other) { return api::Layer(other).name == api::Layer(name).name; };
    if (std::count_if(names.begin(), names.end(), is_same) > 1) {
      return absl::InvalidArgumentError(absl::StrCat("stack: layer '", name, "' is named twice; name it once"));
    }
    if (name == "linux" && names.size() > 1) {
      return absl::InvalidArgumentError("stack: 'linux' is the empty stack and stands alone; leave it out");
    }
    absl::StatusOr<std::unique_ptr<api::Personality>> personality = registry_.Make(name);
    if (!personality.ok()) {
      return absl::Status(personality.status().code(), absl::StrCat("stack: ", personality.status().message()));
    }
    api::Claims claims;
    (*personality)->Claim(claims);
    if (absl::Status status = AddClaims(layer, **personality, claims); !status.ok()) return status;
    keeps_identities_ |= claims.start_identity().has_value();
    if (!start.has_value()) start = claims.start_identity();
    if (!own_files_.has_value()) own_files_ = claims.own_files();
    if (claims.kernel().has_value() &&
        std::max(claims.kernel()->release.size(), claims.kernel()->version.size()) >= wire::KernelLook::kText) {
      return absl::InvalidArgumentError(
          absl::StrCat("stack: '", name, "' shows a kernel release or version of more than ",
                       wire::KernelLook::kText - 1, " bytes; uname(2) has no room for it"));
    }
    if (!kernel_.has_value()) kernel_ = claims.kernel();
    if (vsyscall_ == 0) vsyscall_ = claims.vsyscall();
    speaks_for_sandbox_ |= claims.speaks_for_sandbox();
    hidden_is_absent_ |= claims.hidden_is_absent();
    on_loss_ = std::max(on_loss_, claims.on_loss());
    epoch_->personalities_.push_back(*std::move(personality));
  }
  if (!start.has_value()) {
    start.emplace();
    start->uid = {spec_.owner_uid, spec_.owner_uid, spec_.owner_uid, spec_.owner_uid};
    start->gid = {spec_.owner_gid, spec_.owner_gid, spec_.owner_gid, spec_.owner_gid};
  }
  epoch_->start_identity_ = *std::move(start);

  std::vector<Row>& rows = epoch_->rows_;
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.claim.nr != b.claim.nr ? a.claim.nr < b.claim.nr : a.level < b.level;
  });
  size_t row = 0;
  for (uint32_t nr = 0; nr <= wire::kTableNumbers; ++nr) {
    while (row < rows.size() && rows[row].claim.nr < nr) ++row;
    epoch_->first_row_[nr] = static_cast<uint16_t>(row);
  }
  return absl::OkStatus();
}

absl::Status Epoch::Compiler::AddClaims(uint32_t layer, const api::Personality& personality,
                                        const api::Claims& claims) {
  std::array<std::array<bool, wire::kTableNumbers>, kLevels> seen = {};
  for (const Claim& claim : claims.all()) {
    const std::string what =
        absl::StrCat("personality '", std::string(personality.Name()), "', claim on ", CallName(claim.nr), ": ");
    if (claim.nr >= wire::kTableNumbers || IsCallerOnly(claim.nr)) {
      return absl::InvalidArgumentError(absl::StrCat(what, "the call cannot be claimed"));
    }
    const bool attempts = claim.verb == ClaimVerb::kAttempt;
    if (std::exchange(seen[attempts ? 0 : 1][claim.nr], true)) {
      return absl::InvalidArgumentError(absl::StrCat(what, "claimed twice"));
    }
    if (claim.verb == ClaimVerb::kDeny && (claim.value < 1 || claim.value > 4095)) {
      return absl::InvalidArgumentError(absl::StrCat(what, claim.value, " is no errno"));
    }
    if (claim.verb == ClaimVerb::kFold && claim.folding.differ[0] != claim.folding.differ[1] &&
        claim.handler == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(what, "a fold of arguments that differ needs a handler"));
    }
    epoch_->rows_.push_back({LevelOf(layer, attempts), &personality, claim});
  }
  return absl::OkStatus();
}

absl::Status Epoch::Compiler::CheckStacking() {
  for (const Row& row : epoch_->rows_) {
    if (row.claim.verb != ClaimVerb::kOverlay) continue;
    const Row* beneath = epoch_->Find(row.claim.nr, row.level + 1);
    if (beneath == nullptr || beneath->claim.verb == ClaimVerb::kOverlay ||
        beneath->claim.verb == ClaimVerb::kConstant || beneath->claim.verb == ClaimVerb::kDeny) {
      continue;
    }
    // Overlays of the stat family ask statx(2): how the old calls are expressed is nothing to them.
    const bool folds = beneath->claim.verb == ClaimVerb::kFold;
    if (folds && epoch_->Find(static_cast<uint32_t>(syscall::Nr::statx), row.level + 1) == nullptr) continue;
    return absl::InvalidArgumentError(absl::StrCat("stack: '", LayerOf(row), "' overlays ", CallName(row.claim.nr),
                                                   ", which '", LayerOf(*beneath), "' beneath it serves; put '",
                                                   LayerOf(*beneath), "' to its left"));
  }
  return absl::OkStatus();
}

// A sandbox is the floor's and the layer's, or neither's. What a generic kernel refuses and has a successor, the stack
// answers; fork and its kin are the shim's.
absl::Status Epoch::Compiler::CheckKernel() {
  if (spec_.sandboxed != speaks_for_sandbox_) {
    return absl::FailedPreconditionError(absl::StrCat(
        "stack '", absl::StrJoin(epoch_->names_, ","), "': the session's floor is ", speaks_for_sandbox_ ? "no" : "a",
        " sandbox's, which its launcher sets for its life; ",
        speaks_for_sandbox_ ? "start a session with `guise run --personality sandboxed`" : "keep the layer sandboxed"));
  }
  if (!spec_.generic_kernel) return absl::OkStatus();
  for (const syscall::Row& row : syscall::kTable) {
    const bool old = row.Has(syscall::Trait::NotInGeneric) && row.next != syscall::kNoNr && !syscall::IsGone(row);
    const auto nr = static_cast<uint32_t>(row.nr);
    // An attempt makes the old call itself, first; so does who does not serve it from the beginning.
    const auto makes = [](const Claim& claim) {
      return claim.verb == ClaimVerb::kAttempt || claim.once != api::Once::kBegun;
    };
    const Row* answer = epoch_->Find(nr, 0);
    while (answer != nullptr && makes(answer->claim)) answer = epoch_->Find(nr, answer->level + 1);
    if (!old || IsCallerOnly(nr) || answer != nullptr) continue;
    return absl::FailedPreconditionError(absl::StrCat("stack '", absl::StrJoin(epoch_->names_, ","),
                                                      "': the session's kernel is generic and refuses ", CallName(nr),
                                                      ", which no layer answers; add the layer legacy:modern"));
  }
  return absl::OkStatus();
}

absl::Status Epoch::Compiler::CollectOverrides() {
  for (const PlacementOverride& override : spec_.overrides) {
    if (override.syscall == "all") {
      for (const syscall::Row& row : syscall::kTable) {
        moved_[static_cast<uint32_t>(row.nr)] = {override.placement, false};
      }
      continue;
    }
    const std::optional<uint32_t> nr = syscall::Number(override.syscall);
    if (!nr.has_value() || *nr >= wire::kTableNumbers) {
      return absl::InvalidArgumentError(
          absl::StrCat("placement: there is no syscall '", override.syscall, "'; name one of x86_64, or all"));
    }
    if (override.placement == Placement::kServer && IsCallerOnly(*nr)) {
      return absl::InvalidArgumentError(
          absl::StrCat("placement: ", override.syscall, " acts on its caller and cannot be moved to the server"));
    }
    moved_[*nr] = {override.placement, true};
  }
  return absl::OkStatus();
}

}  // namespace guise::server
