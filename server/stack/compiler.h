// The compilation of an epoch: claims become rows, and what they say of each number becomes tables.
#ifndef GUISE_SERVER_STACK_COMPILER_H_
#define GUISE_SERVER_STACK_COMPILER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "personalities/api/claims.h"
#include "personalities/api/personality.h"
#include "proto/wire/layout.h"
#include "proto/wire/published.h"
#include "server/stack/epoch.h"

namespace guise::server {

// One compilation.
class Epoch::Compiler {
 public:
  Compiler(const api::Registry& registry, const EpochSpec& spec) : registry_(registry), spec_(spec) {}

  // Errors: those of Epoch::Compile().
  absl::StatusOr<std::shared_ptr<const Epoch>> Run();

 private:
  // What the stack says of a number: where it is answered, and how when that is the shim.
  struct Decision {
    wire::Placement placement = wire::Placement::kKernel;
    ActionRow action;
  };

  // compiler.cc: the stack, and whether it can stand.
  absl::Status MakeLayers();
  absl::Status AddClaims(uint32_t layer, const api::Personality& personality, const api::Claims& claims);
  absl::Status CheckStacking();
  absl::Status CheckKernel();
  absl::Status CollectOverrides();
  const std::string& LayerOf(const Row& row) const { return epoch_->names_[row.level / kLevels]; }

  // compiled_tables.cc: what guests are told of it.
  absl::Status Fill(const Past& past);
  Decision Decide(uint32_t nr, uint32_t from, const Past& past) const;
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
    std::optional<wire::Placement> to;
    bool by_name = false;  // not by "all": an impossible placement is an error
  };
  std::array<Moved, wire::kTableNumbers> moved_ = {};
};

// Of a number, for errors.
std::string CallName(uint32_t nr);

// Whether the call acts on its caller, so that nobody else can make it.
bool IsCallerOnly(uint32_t nr);

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_COMPILER_H_
