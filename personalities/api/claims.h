// Claims: what a personality says of syscalls. Data, from which the server derives dispatch rows and the tables that
// guests read. A call that nobody claims runs natively.
//
//   void Fakeroot::Claim(Claims& claims) {
//     claims.Constant<Nr::getuid>(0).UntilDiverged<&Fakeroot::GetUid>(*this);
//     claims.Overlay<Nr::newfstatat>();
//     claims.Serve<Nr::fchownat, &Fakeroot::ChownAt>(*this);
//     claims.Fold<Nr::open, Nr::openat, Put(AT_FDCWD), From(0), From(1), From(2)>();
//     claims.Deny<Nr::acct>(EPERM);
//     claims.Attempt<Nr::openat, &Fakeroot::WithPower>(*this);
//   }
//
// A layer claims a call once, and may attempt it besides.
//
// What the syscall table forbids does not compile: a claim on a call that is the caller's own (Trait::CallerOnly), an
// Overlay of a call that tells no status of a file, a Fold with arguments that neither call has.
#ifndef GUISE_PERSONALITIES_API_CLAIMS_H_
#define GUISE_PERSONALITIES_API_CLAIMS_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "personalities/api/call.h"
#include "personalities/api/identity.h"
#include "personalities/api/inode.h"
#include "personalities/api/task.h"
#include "proto/syscall/table.h"

namespace guise::api {

class Personality;

enum class ClaimVerb : uint8_t {
  kConstant,  // answered in the shim
  kDeny,      // an errno, in the shim
  kFold,      // another call with permuted arguments, in the shim
  kOverlay,   // native, then the published overlay, in the shim
  kGuard,     // a function may veto or rewrite the call, which then goes to the layer beneath
  kServe,     // a coroutine answers
  kAttempt,  // what else this layer and those beneath say, in the shim if that is there; a coroutine answers what fails
             // with the errors that it names
};

// What a guard says.
class Verdict {
 public:
  static Verdict Pass(const Call& call) { return Verdict(call, 0); }  // also with rewritten arguments
  // REQUIRES: 1 <= error <= 4095.
  static Verdict Deny(const Call& call, int error) { return Verdict(call, error); }
  int error() const { return error_; }  // 0: passed
  const Call& call() const { return call_; }

 private:
  Verdict(const Call& call, int error) : call_(call), error_(error) {}
  Call call_;
  int error_;
};

using Handler = SysTask (*)(const Personality&, Call&, Below);
using Guard = Verdict (*)(const Personality&, Call&);

// An argument of a fold's new call.
struct FoldArgument {
  bool is_constant;
  int32_t value;  // the constant, sign-extended; else the position in the old call
};
consteval FoldArgument From(int32_t position) { return {false, position}; }
consteval FoldArgument Put(int32_t constant) { return {true, constant}; }

struct Folding {
  static constexpr uint8_t kFirstConstant = 6;
  static constexpr int kConstants = 4;
  uint32_t nr = 0;
  uint8_t count = 0;
  uint8_t from[6] = {};  // 0..5: position in the old call; 6..9: constants[from - 6]
  int32_t constants[kConstants] = {};
  uint8_t differ[2] = {};  // arguments of the old call that must differ, else its handler answers; the same: none must

  // Whether arguments like `args` are folded.
  constexpr bool Fits(uint64_t first, uint64_t second) const {
    return differ[0] == differ[1] || static_cast<uint32_t>(first) != static_cast<uint32_t>(second);
  }
};

// Which errors of the kernel an attempt's handler is asked about.
enum class AskOn : uint8_t {
  kRefused,  // EPERM, EACCES
  kInvalid,  // EINVAL
};

// From when on a Serve claim holds; before that it is as if there were none.
enum class Once : uint8_t {
  kBegun,            // always
  kDiverged,         // some process has changed its identity
  kAttributeKept,    // the session keeps an extended attribute, or did (SetAttribute)
  kGroupKept,        // the session keeps the group of a directory (SetOwner, told its mode)
  kOwnersVary,       // kDiverged, or the directory of a kept group is set-group-ID
  kBlockDeviceKept,  // a file is shown as a block device, or was (SetDevice)
};

// What guests are told of the kernel, by uname(2) under an Overlay claim and by files of /proc. At most 63 bytes each.
struct KernelLook {
  std::string release;
  std::string version;
};

struct Claim {
  ClaimVerb verb = ClaimVerb::kDeny;
  uint32_t nr = 0;
  Once once = Once::kBegun;        // kServe
  uint8_t tested = 0;              // kServe, with `bits`: an argument
  uint32_t bits = 0;               // kServe: of calls that have one of them in it; 0: of all calls
  std::optional<Once> all_once;    // kServe, with `bits`: from when on of all calls
  bool until_diverged = false;     // kConstant, while no process has changed its identity; `handler` from then on
  int64_t value = 0;               // kConstant: the result; kDeny: the errno, positive
  Folding folding;                 // kFold
  Handler handler = nullptr;       // kServe, kAttempt; kFold: of calls whose arguments do not differ
  AskOn ask_on = AskOn::kRefused;  // kAttempt
  Guard guard = nullptr;           // kGuard
};

// What guests get while no server answers, from the mildest; the strictest of a stack's layers holds.
enum class OnLoss : uint8_t { kNative, kWait, kFail };

template <Nr kNr>
concept Claimable = !syscall::Get(kNr).Has(syscall::Trait::CallerOnly);

template <Nr kNr>
concept TellsFileStatus =
    kNr == Nr::stat || kNr == Nr::lstat || kNr == Nr::fstat || kNr == Nr::newfstatat || kNr == Nr::statx;
template <Nr kNr>
concept Overlayable = TellsFileStatus<kNr> || kNr == Nr::uname;

namespace internal {

constexpr bool Foldable(Nr from, Nr to, std::initializer_list<FoldArgument> args) {
  int32_t constants[8] = {};
  int count = 0;
  if (args.size() > 6) return false;
  for (const FoldArgument& arg : args) {
    if (arg.is_constant) {
      if (std::find(constants, constants + count, arg.value) == constants + count) constants[count++] = arg.value;
    } else if (arg.value < 0 || static_cast<size_t>(arg.value) >= syscall::Find(static_cast<uint32_t>(from))->Arity()) {
      return false;
    }
  }
  return count <= Folding::kConstants && args.size() == syscall::Find(static_cast<uint32_t>(to))->Arity();
}

constexpr Folding MakeFolding(Nr to, std::initializer_list<FoldArgument> args) {
  Folding folding;
  folding.nr = static_cast<uint32_t>(to);
  int constants = 0;
  for (const FoldArgument& arg : args) {
    if (arg.is_constant) {
      const auto at = std::find(folding.constants, folding.constants + constants, arg.value) - folding.constants;
      folding.from[folding.count++] = static_cast<uint8_t>(Folding::kFirstConstant + at);
      if (at == constants) folding.constants[constants++] = arg.value;
    } else {
      folding.from[folding.count++] = static_cast<uint8_t>(arg.value);
    }
  }
  return folding;
}

template <auto kHandler, typename P>
SysTask CallHandler(const Personality& personality, Call& call, Below below) {
  return (static_cast<const P&>(personality).*kHandler)(call, below);
}
template <auto kGuard, typename P>
Verdict CallGuard(const Personality& personality, Call& call) {
  return (static_cast<const P&>(personality).*kGuard)(call);
}

}  // namespace internal

class Claims {
 public:
  // What follows Constant().
  class ConstantClaim {
   public:
    // The constant holds while no process of the session has changed its identity; then `kHandler` serves the call.
    template <auto kHandler, typename P>
    void UntilDiverged(const P&) {
      Claim& claim = claims_->claims_[index_];
      claim.until_diverged = true;
      claim.handler = &internal::CallHandler<kHandler, P>;
    }

   private:
    friend class Claims;
    ConstantClaim(Claims* claims, size_t index) : claims_(claims), index_(index) {}
    Claims* claims_;
    size_t index_;
  };

  template <Nr kNr>
  requires Claimable<kNr> ConstantClaim Constant(int64_t result) {
    Add(ClaimVerb::kConstant, kNr).value = result;
    return {this, claims_.size() - 1};
  }

  // What follows Fold().
  class FoldClaim {
   public:
    // Calls whose arguments i and j have the same low 32 bits are not folded: `kHandler` serves them.
    template <auto kHandler, typename P>
    void UnlessSame(uint8_t i, uint8_t j, const P&) {
      Claim& claim = claims_->claims_[index_];
      claim.folding.differ[0] = i;
      claim.folding.differ[1] = j;
      claim.handler = &internal::CallHandler<kHandler, P>;
    }

   private:
    friend class Claims;
    FoldClaim(Claims* claims, size_t index) : claims_(claims), index_(index) {}
    Claims* claims_;
    size_t index_;
  };

  // REQUIRES: 1 <= error <= 4095.
  template <Nr kNr>
  requires Claimable<kNr>
  void Deny(int error) { Add(ClaimVerb::kDeny, kNr).value = error; }

  template <Nr kOld, Nr kNew, FoldArgument... kArgs>
  requires(Claimable<kOld>&& Claimable<kNew>&& internal::Foldable(kOld, kNew, {kArgs...})) FoldClaim Fold() {
    constexpr Folding kFolding = internal::MakeFolding(kNew, {kArgs...});
    Add(ClaimVerb::kFold, kOld).folding = kFolding;
    return {this, claims_.size() - 1};
  }

  template <Nr kNr>
  requires(Claimable<kNr>&& Overlayable<kNr>) void Overlay() { Add(ClaimVerb::kOverlay, kNr); }

  // kGuard: Verdict (P::*)(Call&) const.
  template <Nr kNr, auto kGuard, typename P>
  requires Claimable<kNr>
  void Guard(const P&) { Add(ClaimVerb::kGuard, kNr).guard = &internal::CallGuard<kGuard, P>; }

  // kHandler: SysTask (P::*)(Call&, Below) const. A personality is immutable; lasting state is the session's.
  template <Nr kNr, auto kHandler, typename P>
  requires Claimable<kNr>
  void Serve(const P&) { Add(ClaimVerb::kServe, kNr).handler = &internal::CallHandler<kHandler, P>; }

  // What follows ServeOnce().
  class OnceClaim {
   public:
    // Calls whose argument `argument` has none of `bits` are not served: the shim tells, and makes them.
    // REQUIRES: the call has the argument; bits != 0.
    OnceClaim& IfAny(uint8_t argument, uint32_t bits) {
      Claim& claim = claims_->claims_[index_];
      claim.tested = argument;
      claim.bits = bits;
      return *this;
    }
    // From then on they are. REQUIRES: after IfAny().
    void AndAll(Once once) { claims_->claims_[index_].all_once = once; }

   private:
    friend class Claims;
    OnceClaim(Claims* claims, size_t index) : claims_(claims), index_(index) {}
    Claims* claims_;
    size_t index_;
  };

  // Likewise, from some time on. The handler may be asked before, and of calls that IfAny() leaves out: of those that
  // come to the server for another reason.
  template <Nr kNr, auto kHandler, typename P>
  requires Claimable<kNr> OnceClaim ServeOnce(Once once, const P& personality) {
    Serve<kNr, kHandler>(personality);
    claims_.back().once = once;
    return {this, claims_.size() - 1};
  }

  // Beside another claim on the call, or none: `kHandler` is asked when the call fails with an error of `ask_on`. The
  // call is made again then, by whoever is beneath: it has had no effect. Also asked of calls that were not made yet.
  // kHandler: as Serve's.
  template <Nr kNr, auto kHandler, typename P>
  requires Claimable<kNr>
  void Attempt(const P&, AskOn ask_on = AskOn::kRefused) {
    Claim& claim = Add(ClaimVerb::kAttempt, kNr);
    claim.handler = &internal::CallHandler<kHandler, P>;
    claim.ask_on = ask_on;
  }

  // --- Of the session as a whole.

  // Files that belong to the session's owner and group, and that no overlay names, are shown with this one.
  void ShowOwnFilesAs(Owner owner) { own_files_ = owner; }
  // REQUIRES: neither string is longer than 63 bytes.
  void ShowKernelAs(KernelLook look) { kernel_ = std::move(look); }
  // Calls to the page at `base`, a multiple of 4096, are those of the vsyscall page, which kernels may lack.
  void EmulateVsyscallAt(uint64_t base) { vsyscall_ = base; }
  // The stack is for sessions whose floor is a sandbox's, and only those have it.
  void SpeakForSandbox() { speaks_for_sandbox_ = true; }
  // What the session's floor hides is not there: ENOENT, and not listed. Else it is there, and cannot be opened.
  void ShowHiddenAsAbsent() { hidden_is_absent_ = true; }
  // Credentials of processes that have not changed them.
  void StartAs(Identity identity) { start_identity_ = std::move(identity); }
  void OnLossOfServer(OnLoss policy) { on_loss_ = policy; }

  const std::vector<Claim>& all() const { return claims_; }
  const std::optional<Owner>& own_files() const { return own_files_; }
  const std::optional<Identity>& start_identity() const { return start_identity_; }
  OnLoss on_loss() const { return on_loss_; }
  const std::optional<KernelLook>& kernel() const { return kernel_; }
  uint64_t vsyscall() const { return vsyscall_; }  // 0: the kernel's own
  bool speaks_for_sandbox() const { return speaks_for_sandbox_; }
  bool hidden_is_absent() const { return hidden_is_absent_; }

 private:
  Claim& Add(ClaimVerb verb, Nr nr) {
    Claim& claim = claims_.emplace_back();
    claim.verb = verb;
    claim.nr = static_cast<uint32_t>(nr);
    return claim;
  }

  std::vector<Claim> claims_;
  std::optional<Owner> own_files_;
  std::optional<Identity> start_identity_;
  OnLoss on_loss_ = OnLoss::kNative;
  std::optional<KernelLook> kernel_;
  uint64_t vsyscall_ = 0;
  bool speaks_for_sandbox_ = false;
  bool hidden_is_absent_ = false;
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_CLAIMS_H_
