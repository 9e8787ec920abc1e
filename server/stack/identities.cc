#include "server/stack/identities.h"

#include "proto/wire/layout.h"
#include "server/store/store.h"

namespace guise::server {

namespace {

// A guest can write a ring of parents into its records; no line of them is longer.
constexpr uint32_t kMaxAncestors = wire::kProcesses;

std::optional<ProcessFacts> FactsOf(SessionParts& parts, uint32_t process, uint32_t generation) {
  std::optional<ProcessFacts> facts = parts.processes->Facts(process);
  if (facts.has_value() && facts->generation != generation) facts.reset();
  return facts;
}

}  // namespace

std::optional<api::Identity> FindIdentity(SessionParts& parts, uint32_t process, uint32_t generation) {
  if (!parts.store->diverged()) return std::nullopt;
  // Upwards to the next process whose identity is written down. An exec on the way changes what is handed down; to do
  // so twice is the same as once.
  bool exec = false;
  uint32_t at = process;
  uint32_t at_generation = generation;
  for (uint32_t i = 0; i < kMaxAncestors && at < wire::kProcesses; ++i) {
    const std::optional<ProcessFacts> facts = FactsOf(parts, at, at_generation);
    const std::optional<KnownIdentity> known = parts.store->FindIdentity(at, at_generation);
    if (known.has_value()) {
      exec = exec || (facts.has_value() && facts->execs != known->execs);
      const api::Identity identity = exec ? known->identity.AfterExec() : known->identity;
      const std::optional<ProcessFacts> self = FactsOf(parts, process, generation);
      if (i > 0 && self.has_value()) parts.store->Inherit(process, generation, {identity, self->execs});
      return identity;
    }
    if (!facts.has_value() || facts->parent == 0) break;
    exec = exec || facts->execs != 0;
    at = facts->parent - 1;
    at_generation = facts->parent_generation;
  }
  return std::nullopt;
}

void SettleChildren(SessionParts& parts, const api::Identity& identity, uint32_t process, uint32_t generation) {
  // No execs: what the child had at its fork.
  const KnownIdentity inherited = {identity, 0};
  parts.processes->ForEachChild(process, generation, [&](uint32_t child, const ProcessFacts& facts) {
    if (child >= wire::kProcesses || parts.store->FindIdentity(child, facts.generation).has_value()) return;
    parts.store->Inherit(child, facts.generation, inherited);
  });
}

void EndProcess(SessionParts& parts, uint32_t process, uint32_t generation) {
  const std::optional<api::Identity> identity = FindIdentity(parts, process, generation);
  if (identity.has_value()) SettleChildren(parts, *identity, process, generation);
}

}  // namespace guise::server
