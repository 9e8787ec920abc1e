#include "server/stack/epoch.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/syscall/names.h"
#include "proto/syscall/table.h"

namespace guise::server {

using api::Claim;
using api::ClaimVerb;
using wire::ActionVerb;
using wire::Placement;

namespace {

std::string NameOf(uint32_t nr) {
  const std::string_view name = syscall::Name(nr);
  return name.empty() ? absl::StrCat("syscall ", nr) : std::string(name);
}

bool IsCallerOnly(uint32_t nr) {
  const syscall::Row* row = syscall::Find(nr);
  return row != nullptr && row->Has(syscall::Trait::CallerOnly);
}

bool TellsKernel(uint32_t nr, const ActionRow& action) {
  return nr == static_cast<uint32_t>(syscall::Nr::uname) && action.verb == ActionVerb::kOverlay;
}

ActionRow ValueAction(ActionVerb verb, int64_t value) {
  ActionRow row;
  row.verb = verb;
  row.value = value;
  return row;
}

ActionRow FoldAction(const api::Folding& folding) {
  ActionRow row;
  row.verb = ActionVerb::kFold;
  row.count = folding.count;
  row.nr = folding.nr;
  std::copy(std::begin(folding.from), std::end(folding.from), row.from);
  static_assert(sizeof(row.constants) == sizeof(folding.constants));
  std::copy(std::begin(folding.constants), std::end(folding.constants), row.constants);
  std::copy(std::begin(folding.differ), std::end(folding.differ), row.differ);
  return row;
}

bool Same(const ActionRow& a, const ActionRow& b) {
  return a.verb == b.verb && a.count == b.count && a.nr == b.nr && std::memcmp(a.from, b.from, sizeof(a.from)) == 0 &&
         std::memcmp(a.differ, b.differ, sizeof(a.differ)) == 0 && a.asks == b.asks &&
         std::memcmp(a.constants, b.constants, sizeof(a.constants)) == 0;
}

uint8_t AskOnOf(api::AskOn ask_on) {
  switch (ask_on) {
    case api::AskOn::kRefused:
      return static_cast<uint8_t>(wire::AskOn::kRefused);
    case api::AskOn::kInvalid:
      return static_cast<uint8_t>(wire::AskOn::kInvalid);
  }
  return 0;
}

wire::OnLoss OnLossOf(api::OnLoss policy) {
  switch (policy) {
    case api::OnLoss::kNative:
      return wire::OnLoss::kNative;
    case api::OnLoss::kWait:
      return wire::OnLoss::kWait;
    case api::OnLoss::kFail:
      return wire::OnLoss::kFail;
  }
  return wire::OnLoss::kFail;
}

}  // namespace

// One compilation.
class Epoch::Compiler {
 public:
  Compiler(const api::Registry& registry, const EpochSpec& spec) : registry_(registry), spec_(spec) {}

  absl::StatusOr<std::shared_ptr<const Epoch>> Run() {
    for (const auto step :
         {&Compiler::MakeLayers, &Compiler::CheckStacking, &Compiler::CheckKernel, &Compiler::CollectOverrides}) {
      if (absl::Status status = (this->*step)(); !status.ok()) return status;
    }
    for (const Past past : {Past{false, false}, Past{true, false}, Past{false, true}, Past{true, true}}) {
      if (absl::Status status = Fill(past); !status.ok()) return status;
    }
    return std::shared_ptr<const Epoch>(std::move(epoch_));
  }

 private:
  // What has happened in the session: see Epoch::tables().
  struct Past {
    bool diverged;
    bool keeps;
    bool any() const { return diverged || keeps; }
  };

  // What the stack says of a number: where it is answered, and how when that is the shim.
  struct Decision {
    Placement placement = Placement::kKernel;
    ActionRow action;
  };

  absl::Status MakeLayers();
  absl::Status AddClaims(uint32_t layer, const api::Personality& personality, const api::Claims& claims);
  absl::Status CheckStacking();
  absl::Status CheckKernel();
  absl::Status CollectOverrides();
  absl::Status Fill(Past past);
  Decision Decide(uint32_t nr, uint32_t from, Past past) const;
  const std::string& LayerOf(const Row& row) const { return epoch_->names_[row.level / kLevels]; }
  uint8_t ActionIndex(Tables& tables, const ActionRow& action) const;

  const api::Registry& registry_;
  const EpochSpec& spec_;
  std::unique_ptr<Epoch> epoch_{new Epoch};
  api::OnLoss on_loss_ = api::OnLoss::kNative;
  std::optional<api::Owner> own_files_;
  std::optional<api::KernelLook> kernel_;
  uint64_t vsyscall_ = 0;
  bool speaks_for_sandbox_ = false;
  bool hidden_is_absent_ = false;
  bool keeps_identities_ = false;
  struct Moved {
    std::optional<Placement> to;
    bool by_name = false;  // not by "all": an impossible placement is an error
  };
  std::array<Moved, wire::kTableNumbers> moved_ = {};
};

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
        absl::StrCat("personality '", std::string(personality.Name()), "', claim on ", NameOf(claim.nr), ": ");
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
    return absl::InvalidArgumentError(absl::StrCat("stack: '", LayerOf(row), "' overlays ", NameOf(row.claim.nr),
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
    // An attempt makes the old call itself, first.
    const Row* answer = epoch_->Find(nr, 0);
    while (answer != nullptr && answer->claim.verb == ClaimVerb::kAttempt) answer = epoch_->Find(nr, answer->level + 1);
    if (!old || IsCallerOnly(nr) || answer != nullptr) continue;
    return absl::FailedPreconditionError(absl::StrCat("stack '", absl::StrJoin(epoch_->names_, ","),
                                                      "': the session's kernel is generic and refuses ", NameOf(nr),
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

Epoch::Compiler::Decision Epoch::Compiler::Decide(uint32_t nr, uint32_t from, Past past) const {
  const Row* row = epoch_->Find(nr, from);
  if (row == nullptr) return {};
  const Claim& claim = row->claim;
  switch (claim.verb) {
    case ClaimVerb::kConstant:
      if (claim.until_diverged && past.diverged) return {Placement::kServer, {}};
      return {Placement::kShim, ValueAction(ActionVerb::kConstant, claim.value)};
    case ClaimVerb::kDeny:
      return {Placement::kShim, ValueAction(ActionVerb::kDeny, -claim.value)};
    case ClaimVerb::kFold: {
      const Decision beneath = Decide(claim.folding.nr, row->level + 1, past);
      if (beneath.placement == Placement::kKernel) return {Placement::kShim, FoldAction(claim.folding)};
      if (beneath.action.verb == ActionVerb::kAttempt) {
        Decision folded = {Placement::kShim, FoldAction(claim.folding)};
        folded.action.asks = beneath.action.asks;
        return folded;
      }
      // A constant and an errno do not look at arguments; all else does.
      if (beneath.action.verb == ActionVerb::kConstant || beneath.action.verb == ActionVerb::kDeny) return beneath;
      return {Placement::kServer, {}};
    }
    case ClaimVerb::kOverlay: {
      const Decision beneath = Decide(nr, row->level + 1, past);
      // CheckStacking: answers without a file, or the same, or says the same in other words.
      const bool asks_statx = beneath.action.verb == ActionVerb::kFold;
      if (beneath.placement != Placement::kKernel && !asks_statx) return beneath;
      return {Placement::kShim, ValueAction(ActionVerb::kOverlay, 0)};
    }
    case ClaimVerb::kAttempt: {
      Decision beneath = Decide(nr, row->level + 1, past);
      if (beneath.placement == Placement::kKernel) beneath = {Placement::kShim, ValueAction(ActionVerb::kAttempt, 0)};
      // A constant is no refusal of the kernel's, and no errno of a layer's either.
      const bool is_made = beneath.action.verb == ActionVerb::kAttempt || beneath.action.verb == ActionVerb::kOverlay ||
                           beneath.action.verb == ActionVerb::kFold;
      if (beneath.placement == Placement::kShim && is_made) beneath.action.asks |= AskOnOf(claim.ask_on);
      return beneath;
    }
    case ClaimVerb::kServe:
      if (claim.once_kept && !past.keeps) return Decide(nr, row->level + 1, past);
      return {Placement::kServer, {}};
    case ClaimVerb::kGuard:
      return {Placement::kServer, {}};
  }
  return {};
}

// 0: the table is full.
uint8_t Epoch::Compiler::ActionIndex(Tables& tables, const ActionRow& action) const {
  for (size_t i = 1; i < tables.actions.size(); ++i) {
    if (tables.actions[i].verb == ActionVerb::kNone) tables.actions[i] = action;
    if (Same(tables.actions[i], action)) return static_cast<uint8_t>(i);
  }
  return 0;
}

absl::Status Epoch::Compiler::Fill(Past past) {
  Tables& tables = epoch_->tables_[(past.diverged ? 1 : 0) + (past.keeps ? 2 : 0)];
  tables.epoch = spec_.number;
  tables.on_loss = OnLossOf(on_loss_);
  tables.flags |= spec_.flags;
  tables.rewrite_after = spec_.rewrite_after;
  if (past.diverged) tables.flags |= wire::kDiverged;
  if (kernel_.has_value()) {
    tables.flags |= wire::kShowKernel;
    tables.kernel_release = kernel_->release;
    tables.kernel_version = kernel_->version;
  }
  if (hidden_is_absent_) tables.flags |= wire::kHiddenIsAbsent;
  if (keeps_identities_) tables.flags |= wire::kKeepsIdentities;
  tables.vsyscall = vsyscall_;
  if (own_files_.has_value()) {
    tables.flags |= wire::kMapOwner;
    tables.owner_from = spec_.owner_uid;
    tables.owner_to = own_files_->uid;
    tables.group_from = spec_.owner_gid;
    tables.group_to = own_files_->gid;
  }
  for (uint32_t nr = 0; nr < wire::kTableNumbers; ++nr) {
    Decision decision = Decide(nr, 0, past);
    if (decision.placement == Placement::kShim) {
      tables.action[nr] = ActionIndex(tables, decision.action);
      // More distinct actions than the table holds: the server does what the shim would have done.
      if (tables.action[nr] == 0) decision.placement = Placement::kServer;
    }
    const Moved& moved = moved_[nr];
    if (moved.to == Placement::kShim && decision.placement != Placement::kShim) {
      if (moved.by_name && !past.any()) {
        return absl::InvalidArgumentError(
            absl::StrCat("placement: ", NameOf(nr), " cannot be answered in the shim under '",
                         absl::StrJoin(epoch_->names_, ","), "'; choose kernel or server"));
      }
    } else if (moved.to == Placement::kServer && (IsCallerOnly(nr) || TellsKernel(nr, decision.action))) {
      // "all": what can be moved.
      if (moved.by_name && !past.any()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "placement: ", NameOf(nr),
            " tells of the kernel, by what the program needs, which the shim alone knows; choose kernel or shim"));
      }
    } else if (moved.to.has_value()) {
      decision.placement = *moved.to;
    }
    tables.placement[nr] = decision.placement;
  }
  return absl::OkStatus();
}

Epoch::Epoch() = default;
Epoch::~Epoch() = default;

absl::StatusOr<std::shared_ptr<const Epoch>> Epoch::Compile(const api::Registry& registry, const EpochSpec& spec) {
  return Compiler(registry, spec).Run();
}

const Epoch::Row* Epoch::Find(uint32_t nr, uint32_t from) const {
  if (nr >= wire::kTableNumbers) return nullptr;
  for (size_t i = first_row_[nr]; i < first_row_[nr + 1]; ++i) {
    if (rows_[i].level >= from) return &rows_[i];
  }
  return nullptr;
}

api::Owner Epoch::MapOwner(api::Owner native) const {
  const Tables& tables = tables_[0];
  return {wire::ShownId(native.uid, tables.flags, tables.owner_from, tables.owner_to),
          wire::ShownId(native.gid, tables.flags, tables.group_from, tables.group_to)};
}

}  // namespace guise::server
