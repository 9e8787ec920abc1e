#include "server/stack/identities.h"

#include "absl/container/inlined_vector.h"
#include "proto/wire/layout.h"
#include "server/store/store.h"

namespace guise::server {

namespace {

// A guest can write a ring of parents into its records; no line of them is longer.
constexpr size_t kMaxAncestors = wire::kProcesses;
constexpr size_t kLandmarks = 64;

struct Ancestor {
  uint32_t process;
  uint32_t generation;
  uint32_t execs;
};

std::optional<ProcessFacts> FactsOf(SessionParts& parts, uint32_t process, uint32_t generation) {
  std::optional<ProcessFacts> facts = parts.processes->Facts(process);
  if (facts.has_value() && facts->generation != generation) facts.reset();
  return facts;
}

}  // namespace

std::optional<api::Identity> FindIdentity(SessionParts& parts, uint32_t process, uint32_t generation) {
  if (!parts.store->past().diverged) return std::nullopt;
  // Upwards to the next process whose identity is written down. An exec on the way changes what is handed down; to do
  // so twice is the same as once.
  absl::InlinedVector<Ancestor, kLandmarks> line;
  Ancestor at = {process, generation, 0};
  std::optional<KnownIdentity> known;
  bool exec = false;
  while (line.size() < kMaxAncestors && at.process < wire::kProcesses) {
    const std::optional<ProcessFacts> facts = FactsOf(parts, at.process, at.generation);
    known = parts.store->FindIdentity(at.process, at.generation);
    if (known.has_value()) {
      exec = facts.has_value() && facts->execs != known->execs;
      break;
    }
    if (!facts.has_value() || parts.heirs.Has(at.process, at.generation)) break;
    at.execs = facts->execs;
    line.push_back(at);
    if (facts->parent == 0) break;
    at = {facts->parent - 1, facts->parent_generation, 0};
  }
  if (!known.has_value()) {
    for (const Ancestor& heir : line) parts.heirs.Add(heir.process, heir.generation);
    return std::nullopt;
  }
  // Downwards. Whoever asks is written down, and of a long line some more, so that others who ask need not go far.
  for (size_t i = line.size(); i-- > 0;) {
    exec = exec || line[i].execs != 0;
    if (i % kLandmarks != 0) continue;
    const api::Identity identity = exec ? known->identity.AfterExec() : known->identity;
    parts.store->Inherit(line[i].process, line[i].generation, {identity, line[i].execs});
  }
  return exec ? known->identity.AfterExec() : known->identity;
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
