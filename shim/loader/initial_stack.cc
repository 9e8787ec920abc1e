#include "shim/loader/initial_stack.h"

#include <linux/auxvec.h>

#include "shim/memory.h"

namespace guise::shim {

InitialStack::InitialStack(uint64_t* sp) : sp_(sp), envp_(argv() + argc() + 1), envc_(0) {
  while (envp_[envc_] != nullptr) ++envc_;
  aux_ = reinterpret_cast<AuxEntry*>(envp_ + envc_ + 1);
}

uint64_t InitialStack::aux_size() const {
  uint64_t entries = 1;
  while (aux_[entries - 1].type != AT_NULL) ++entries;
  return entries * sizeof(AuxEntry);
}

const char* InitialStack::LastVariable() const { return envc_ == 0 ? nullptr : envp_[envc_ - 1]; }

void InitialStack::DropLastVariable() {
  const uint64_t size = aux_size();
  envp_[--envc_] = nullptr;
  auto* const moved = reinterpret_cast<AuxEntry*>(envp_ + envc_ + 1);
  memmove(moved, aux_, size);
  aux_ = moved;
}

uint64_t InitialStack::Aux(uint64_t type) const {
  for (const AuxEntry* entry = aux_; entry->type != AT_NULL; ++entry) {
    if (entry->type == type) return entry->value;
  }
  return 0;
}

void InitialStack::SetAux(uint64_t type, uint64_t value) {
  for (AuxEntry* entry = aux_; entry->type != AT_NULL; ++entry) {
    if (entry->type == type) entry->value = value;
  }
}

}  // namespace guise::shim
