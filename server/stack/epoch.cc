#include "server/stack/epoch.h"

#include "server/stack/compiler.h"

namespace guise::server {

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
