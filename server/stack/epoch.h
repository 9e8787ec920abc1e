// An epoch: one immutable published stack, compiled. What guests are told of it (Tables) and what the server does with
// the calls that reach it (rows, private to this folder).
//
//   absl::StatusOr<std::shared_ptr<const Epoch>> epoch = Epoch::Compile(registry, {.number = 1, .layers =
//   {"fakeroot"}}); publish((*epoch)->tables(store.past()));
//
// How a number is placed, from what its topmost claim says:
//   Constant, Deny    shim, unless the constant holds only until identities diverge and they have: then server
//   Fold              shim, when no layer beneath claims the new number; else server, where the layer beneath answers
//   Overlay           shim, when no layer beneath claims what it is made of: statx(2), or uname(2)
//   Guard, Serve      server; a Serve of some calls only, or from some time on: see claims.h
//   Attempt           where what is beneath is, in the shim for the kernel; what it refuses goes to the server
// An override moves a number: to the server (what the shim would have done is done by the server), to the shim (when
// the claim allows it), or to the kernel (the stack is passed by). Calls that are the caller's own (Trait::CallerOnly)
// never go to the server.
//
// Thread safety: immutable.
#ifndef GUISE_SERVER_STACK_EPOCH_H_
#define GUISE_SERVER_STACK_EPOCH_H_

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "personalities/api/claims.h"
#include "personalities/api/personality.h"
#include "proto/wire/layout.h"
#include "proto/wire/published.h"
#include "proto/wire/records.h"
#include "server/stack/action_row.h"
#include "server/store/past.h"

namespace guise::server {

// Moves one syscall, or all that can be moved, between placements.
struct PlacementOverride {
  std::string syscall;                       // a name of the syscall table, or "all"
  std::optional<wire::Placement> placement;  // nullopt: what the stack says
};

// What an epoch is compiled from.
struct EpochSpec {
  uint32_t number = 1;                       // starts at 1
  std::vector<std::string> layers;           // leftmost nearest the guest; {"linux"} is the empty stack
  std::vector<PlacementOverride> overrides;  // later ones win
  uid_t owner_uid = 0;                       // of the session: the ids that fakeroot shows as root's
  gid_t owner_gid = 0;
  uint32_t flags = 0;           // wire::PublishedFlag: what is the session's, not the stack's
  uint32_t rewrite_after = 0;   // see wire::Published
  bool sandboxed = false;       // the session's floor is a sandbox's: all its stacks have the layer that speaks for it
  bool generic_kernel = false;  // the kernel refuses old calls (KERNEL_GENERIC): the stack has to answer them
};

// All of a stack that guests read; the caller copies it into the published page under the session's sequence lock.
struct Tables {
  uint32_t epoch = 0;
  wire::OnLoss on_loss = wire::OnLoss::kNative;
  uint32_t flags = 0;  // wire::PublishedFlag
  uint32_t owner_from = 0;
  uint32_t owner_to = 0;
  uint32_t group_from = 0;
  uint32_t group_to = 0;
  uint32_t rewrite_after = 0;  // see wire::Published
  std::string kernel_release;  // with wire::kShowKernel; see wire::KernelLook
  std::string kernel_version;
  uint64_t vsyscall = 0;
  std::array<wire::Placement, wire::kTableNumbers> placement = {};
  std::array<uint8_t, wire::kTableNumbers> action = {};  // index into `actions`; 0: none
  std::array<ActionRow, wire::kActions> actions = {};
};

class Epoch {
 public:
  static constexpr size_t kMaxLayers = 8;

  // INVALID_ARGUMENT: an unknown or repeated layer, `linux` among others, an unknown syscall, a placement that the
  // claim or the table forbids, claims that cannot be stacked, or a call that only a generic kernel lacks and nobody
  // answers. The message names layer or syscall and the remedy.
  static absl::StatusOr<std::shared_ptr<const Epoch>> Compile(const api::Registry& registry, const EpochSpec& spec);

  ~Epoch();
  Epoch(const Epoch&) = delete;
  Epoch& operator=(const Epoch&) = delete;

  uint32_t number() const { return tables_[0].epoch; }
  // `past`: of the session, as of now. They differ in placements, actions and flags only.
  const Tables& tables(const Past& past = {}) const { return tables_[past.index()]; }
  const std::vector<std::string>& layers() const { return names_; }

  // --- for conversations

  // A layer's claims lie on two levels: attempts above all else that it says.
  static constexpr uint32_t kLevels = 2;
  static constexpr uint32_t LevelOf(size_t layer, bool attempts) {
    return static_cast<uint32_t>(kLevels * layer) + (attempts ? 0 : 1);
  }

  // What one layer says of one number.
  struct Row {
    uint32_t level;  // 0 is nearest the guest
    const api::Personality* personality;
    api::Claim claim;
  };
  // The topmost claim on `nr` at level `from` or beneath it; null: none, the host answers.
  const Row* Find(uint32_t nr, uint32_t from) const;
  // Credentials that a process has before it has changed them: what the stack says, else the session owner's.
  const api::Identity& start_identity() const { return start_identity_; }
  // The owner that is shown for a file that no overlay names.
  api::Owner MapOwner(api::Owner native) const;

 private:
  class Compiler;
  Epoch();

  std::vector<std::string> names_;
  std::vector<std::unique_ptr<api::Personality>> personalities_;  // topmost first
  std::vector<Row> rows_;                                         // by number, then level
  std::array<uint16_t, wire::kTableNumbers + 1> first_row_ = {};  // of a number; its last is before the next one's
  api::Identity start_identity_;
  std::array<Tables, Past::kCount> tables_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_EPOCH_H_
