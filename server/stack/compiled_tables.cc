#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/syscall/table.h"
#include "server/stack/compiler.h"

namespace guise::server {

using api::Claim;
using api::ClaimVerb;
using wire::ActionVerb;
using wire::Placement;

namespace {

bool TellsKernel(uint32_t nr, const ActionRow& action) {
  return nr == static_cast<uint32_t>(syscall::Nr::uname) && action.verb == ActionVerb::kOverlay;
}

bool Holds(api::Once once, const Past& past) {
  switch (once) {
    case api::Once::kBegun:
      return true;
    case api::Once::kDiverged:
      return past.diverged;
    case api::Once::kAttributeKept:
      return past.keeps_attributes;
    case api::Once::kGroupKept:
      return past.groups != KeptGroups::kNone;
    case api::Once::kOwnersVary:
      return past.owners_vary();
    case api::Once::kBlockDeviceKept:
      return past.keeps_block_devices;
  }
  return true;
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

Epoch::Compiler::Decision Epoch::Compiler::Decide(uint32_t nr, uint32_t from, const Past& past) const {
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
      if (beneath.action.verb == ActionVerb::kAttempt && beneath.action.tested == 0) {
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
    case ClaimVerb::kServe: {
      const std::optional<api::Once> all_once = claim.bits == 0 ? claim.once : claim.all_once;
      if (all_once.has_value() && Holds(*all_once, past)) return {Placement::kServer, {}};
      const Decision beneath = Decide(nr, row->level + 1, past);
      if (claim.bits == 0 || !Holds(claim.once, past)) return beneath;
      // The shim makes the others where they are the kernel's.
      if (beneath.placement == Placement::kKernel) return {Placement::kShim, TestAction(claim)};
      return {Placement::kServer, {}};
    }
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

absl::Status Epoch::Compiler::Fill(const Past& past) {
  Tables& tables = epoch_->tables_[past.index()];
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
      if (moved.by_name && past == Past{}) {
        return absl::InvalidArgumentError(
            absl::StrCat("placement: ", CallName(nr), " cannot be answered in the shim under '",
                         absl::StrJoin(epoch_->names_, ","), "'; choose kernel or server"));
      }
    } else if (moved.to == Placement::kServer && (IsCallerOnly(nr) || TellsKernel(nr, decision.action))) {
      // "all": what can be moved.
      if (moved.by_name && past == Past{}) {
        return absl::InvalidArgumentError(absl::StrCat(
            "placement: ", CallName(nr),
            " tells of the kernel, by what the program needs, which the shim alone knows; choose kernel or shim"));
      }
    } else if (moved.to.has_value()) {
      decision.placement = *moved.to;
    }
    tables.placement[nr] = decision.placement;
  }
  return absl::OkStatus();
}

}  // namespace guise::server
