#include "server/sites/prover.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/wire/book.h"
#include "proto/wire/layout.h"
#include "server/sites/elf_text.h"

namespace guise::server {
namespace {

constexpr size_t kMostFiles = 256;
constexpr size_t kMostSites = 1 << 16;  // of all

// What has no room in a session's book is nothing that a guest has said.
bool HasRoom(const sites::Site& site) {
  constexpr uint64_t kOffsets = uint64_t{1} << (64 - wire::kBookNumberBits);
  return site.nr() < wire::kTableNumbers && site.offset() < kOffsets;
}

}  // namespace

Proof Prover::Prove(sites::File& file) {
  auto* const all = file.mutable_sites();
  auto known = files_.find(file.identity());
  const auto is_proven = [&](const sites::Site& site) {
    return HasRoom(site) && known != files_.end() && known->second.plans.count({site.offset(), site.text()}) != 0;
  };
  if (!std::all_of(all->begin(), all->end(), is_proven)) {
    absl::StatusOr<ElfText> text = ElfText::Open(file.path(), file.identity());
    if (!text.ok()) {
      if (!absl::IsNotFound(text.status()) && !absl::IsInvalidArgument(text.status())) return Proof::kLater;
      all->Clear();
      return Proof::kNone;
    }
    if (files_.size() >= kMostFiles || sites_ >= kMostSites) {
      files_.clear();
      sites_ = 0;
    }
    known = files_.try_emplace(file.identity()).first;
    known->second.device = text->device();
    known->second.inode = text->inode();
    for (const sites::Site& site : *all) {
      if (!HasRoom(site) || is_proven(site)) continue;
      const std::optional<uint32_t> plan = text->PlanOf(site.offset(), site.text());
      if (!plan.has_value()) continue;
      known->second.plans[{site.offset(), site.text()}] = *plan;
      ++sites_;
    }
  }
  all->erase(std::remove_if(all->begin(), all->end(), std::not_fn(is_proven)), all->end());
  if (all->empty()) return Proof::kNone;
  for (sites::Site& site : *all) site.set_plan(known->second.plans.at({site.offset(), site.text()}));
  file.set_device(known->second.device);
  file.set_inode(known->second.inode);
  return Proof::kSome;
}

}  // namespace guise::server
