#include "server/control/translate.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/wire/published.h"
#include "proto/wire/records.h"

namespace guise::server {
namespace {

v1::SessionState ToMessage(SessionState state) {
  switch (state) {
    case SessionState::kStarting:
      return v1::SESSION_STATE_STARTING;
    case SessionState::kRunning:
      return v1::SESSION_STATE_RUNNING;
    case SessionState::kEnded:
      break;
  }
  return v1::SESSION_STATE_ENDED;
}

v1::Placement ToMessage(std::optional<wire::Placement> placement) {
  if (!placement.has_value()) return v1::PLACEMENT_UNSPECIFIED;
  switch (*placement) {
    case wire::Placement::kKernel:
      return v1::PLACEMENT_KERNEL;
    case wire::Placement::kShim:
      return v1::PLACEMENT_SHIM;
    case wire::Placement::kServer:
      break;
  }
  return v1::PLACEMENT_SERVER;
}

enum class Parity : uint8_t { kEven = 0, kOdd = 1 };

uint64_t Count(const CallTotals& totals, wire::Placement placement, Parity parity) {
  return totals.calls[static_cast<size_t>(placement)][static_cast<size_t>(parity)];
}

void FillCounts(const SessionInfo& info, Parity parity, v1::CallCounts* counts) {
  counts->set_kernel(Count(info.totals, wire::Placement::kKernel, parity));
  counts->set_shim(Count(info.totals, wire::Placement::kShim, parity));
  counts->set_server(Count(info.totals, wire::Placement::kServer, parity));
}

void FillSites(const SiteCounts& counts, v1::SiteCounts* sites) {
  const auto kept = [&](wire::SiteKept why) { return counts.kept[static_cast<size_t>(why)]; };
  sites->set_caught_calls(counts.caught);
  sites->set_near(counts.near);
  sites->set_far(counts.far);
  sites->set_stub_bytes(counts.stub_bytes);
  sites->set_known(counts.known);
  sites->set_kept_next_instruction(kept(wire::SiteKept::kNextInstruction));
  sites->set_kept_page_end(kept(wire::SiteKept::kPageEnd));
  sites->set_kept_text(kept(wire::SiteKept::kText));
  sites->set_kept_number(kept(wire::SiteKept::kNumber));
  sites->set_kept_room(kept(wire::SiteKept::kRoom));
  sites->set_kept_host(kept(wire::SiteKept::kHost));
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

v1::Session ToMessage(const SessionInfo& info) {
  v1::Session message;
  message.set_id(info.id);
  message.set_name(info.name);
  for (const std::string& layer : info.layers) message.mutable_stack()->add_layers(layer);
  message.set_epoch(info.epoch);
  message.set_state(ToMessage(info.state));
  message.set_owner_uid(info.owner_uid);
  message.set_created_unix_nanos(info.created_unix_nanos);
  for (const GuestInfo& guest : info.guests) {
    v1::Guest* added = message.add_guests();
    added->set_pid(guest.pid);
    // A guest's own word: protobuf strings must be UTF-8.
    for (const char c : guest.comm) *added->mutable_comm() += c >= ' ' && c <= '~' ? c : '?';
  }
  FillCounts(info, Parity::kEven, message.mutable_calls_even());
  FillCounts(info, Parity::kOdd, message.mutable_calls_odd());
  v1::CallCounts* const all = message.mutable_calls();
  all->set_kernel(message.calls_even().kernel() + message.calls_odd().kernel());
  all->set_shim(message.calls_even().shim() + message.calls_odd().shim());
  all->set_server(message.calls_even().server() + message.calls_odd().server());
  for (const Override& override_ : info.overrides) {
    v1::PlacementOverride* added = message.add_overrides();
    added->set_syscall(override_.syscall);
    added->set_placement(ToMessage(override_.placement));
  }
  message.set_heap_frames(info.heap_frames);
  message.set_panics(info.panics);
  if (info.sandbox.has_value()) *message.mutable_sandbox() = *info.sandbox;
  message.set_kernel(info.generic_kernel ? v1::KERNEL_GENERIC : v1::KERNEL_HOST);
  FillSites(info.sites, message.mutable_sites());
  return message;
}

absl::StatusOr<uint32_t> RewriteAfter(const v1::CreateSessionRequest& request) {
  // A rewriting costs as much as four to ten calls that are caught by a signal, the first of a process most; and a
  // dynamic program that does nothing makes eight mmap(2) (docs/REWRITING.md).
  constexpr uint32_t kByDefault = 12;
  if (!v1::Mechanism_IsValid(request.mechanism())) {
    return absl::InvalidArgumentError(absl::StrCat("unknown mechanism ", request.mechanism(),
                                                   "; say MECHANISM_REWRITE or MECHANISM_SUD, or leave it out"));
  }
  if (request.rewrite_after() > wire::kMostRewriteAfter) {
    return absl::InvalidArgumentError(absl::StrCat("rewrite_after ", request.rewrite_after(), ": at most ",
                                                   wire::kMostRewriteAfter,
                                                   "; MECHANISM_SUD leaves the text as it is, however often it calls"));
  }
  if (request.mechanism() == v1::MECHANISM_SUD) return 0;
  return request.rewrite_after() != 0 ? request.rewrite_after() : kByDefault;
}

absl::StatusOr<bool> IsGeneric(v1::Kernel kernel) {
  if (!v1::Kernel_IsValid(kernel)) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown kernel ", kernel, "; say KERNEL_HOST or KERNEL_GENERIC, or leave it out"));
  }
  return kernel == v1::KERNEL_GENERIC;
}

absl::StatusOr<std::string> ToTextRules(const google::protobuf::RepeatedPtrField<v1::ProgramRule>& programs) {
  std::string rules;
  for (const v1::ProgramRule& rule : programs) {
    const std::string& path = rule.path();
    if (path.empty() || path[0] != '/' || path.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("program \"", path, "\": not an absolute path; write one like ",
                                                     "\"/usr/bin/program\", or \"/opt/programs/\" for all below it"));
    }
    if (rule.mechanism() != v1::MECHANISM_SUD && rule.mechanism() != v1::MECHANISM_REWRITE) {
      return absl::InvalidArgumentError(
          absl::StrCat("program \"", path, "\": no mechanism; write MECHANISM_SUD or MECHANISM_REWRITE"));
    }
    const wire::TextRule kind =
        rule.mechanism() == v1::MECHANISM_SUD ? wire::TextRule::kKeep : wire::TextRule::kRewrite;
    rules += static_cast<char>(kind);
    rules += path;
    rules += '\0';
  }
  // An empty string is behind the last.
  if (rules.size() >= wire::kTextRulesSize) {
    return absl::InvalidArgumentError(absl::StrCat("the paths of the programs have ", rules.size(),
                                                   " bytes, a session has room for ", wire::kTextRulesSize,
                                                   "; name directories"));
  }
  return rules;
}

std::vector<std::string> ToLayers(const v1::Stack& stack) { return {stack.layers().begin(), stack.layers().end()}; }

absl::StatusOr<std::vector<Override>> ToOverrides(
    const google::protobuf::RepeatedPtrField<v1::PlacementOverride>& overrides) {
  std::vector<Override> result;
  for (const v1::PlacementOverride& message : overrides) {
    Override override_ = {message.syscall(), std::nullopt};
    switch (message.placement()) {
      case v1::PLACEMENT_UNSPECIFIED:
        break;
      case v1::PLACEMENT_KERNEL:
        override_.placement = wire::Placement::kKernel;
        break;
      case v1::PLACEMENT_SHIM:
        override_.placement = wire::Placement::kShim;
        break;
      case v1::PLACEMENT_SERVER:
        override_.placement = wire::Placement::kServer;
        break;
      default:
        return absl::InvalidArgumentError(absl::StrCat("syscall \"", message.syscall(), "\": unknown placement ",
                                                       static_cast<int>(message.placement())));
    }
    result.push_back(std::move(override_));
  }
  return result;
}

}  // namespace guise::server
