// Root's power over modes (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH; capabilities(7)): what the kernel refuses the real
// user for want of permission bits on files of its own, root may do. The bits are lent for the length of the call: the
// owner gets them, the call is made again, and the mode is as before (api/loans.h). So no file's mode is another than
// the one that guests have set, on disk and after the session; others may see the lent bits, and the change time says
// that there was a change.
#include "personalities/fakeroot/power.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include "personalities/fakeroot/borrowing.h"
#include "personalities/fakeroot/fakeroot.h"
#include "personalities/fakeroot/path_uses.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::FileStatus;
using api::Nr;
using api::Path;
using api::SysResult;
using api::SysResultOr;
using api::SysTask;
using api::Task;

Task<SysResult> MakeAgain([[maybe_unused]] Call& call, Below below, const Again& again) {
  const SysResult result = co_await below(*again.call);
  if (!result.Is(EPERM) || again.otherwise == nullptr) co_return result;
  const SysResult other = co_await below(*again.otherwise);
  co_return other;
}

namespace {

// Calls that others of this folder attempt.
constexpr bool HasOwnAttempt(Nr nr) {
  return nr == Nr::mknod || nr == Nr::mknodat || nr == Nr::setxattr || nr == Nr::lsetxattr || nr == Nr::removexattr ||
         nr == Nr::lremovexattr || nr == Nr::fsetxattr || nr == Nr::fremovexattr;
}

bool Opens(Nr nr) { return nr == Nr::open || nr == Nr::creat || nr == Nr::openat || nr == Nr::openat2; }
bool ChangesMode(Nr nr) { return nr == Nr::chmod || nr == Nr::fchmodat || nr == Nr::fchmodat2; }

// With what is needed borrowed. `path` is the last one; nullopt: the call names its file by descriptor.
Task<SysResult> MakeBorrowing(Call& call, Below below, const Again& again, std::optional<PathUse> path) {
  const int start = path.has_value() ? StartOf(call, *path) : AT_FDCWD;
  const Argument whole = path.has_value() ? call.Forward(path->at) : NameOfFd(call, call.Arg<int>(0));
  if (Opens(call.nr())) {
    // A pipe's other end may take its time.
    const SysResultOr<FileStatus> file = co_await StatusOf(call, start, whole, 0);
    if (file.ok() && S_ISFIFO(file.value().mode)) co_return SysResult::Error(EACCES);
  }
  const SysResult result = co_await MakeAgain(call, below, again);
  const bool is_refused = again.is_status_of_refused && result.Is(EPERM);
  if ((result.ok() && ChangesMode(call.nr())) || (again.status != nullptr && (result.ok() || is_refused))) {
    const int flags = again.status != nullptr ? again.status_flags : 0;
    const SysResultOr<FileStatus> file = co_await StatusOf(call, start, whole, flags);
    if (!file.ok()) co_return again.status != nullptr ? file.failure() : result;
    if (again.status != nullptr) *again.status = file.value();
    if (ChangesMode(call.nr())) call.loans().Keep(file.value().inode);
  }
  co_return result;
}

}  // namespace

Task<SysResult> WithModesLent(Call& call, Below below, const Again& again) {
  SysResult result = SysResult::Error(EACCES);
  const SysResult user = co_await call.Run(Nr::geteuid);
  const uint32_t uid = static_cast<uint32_t>(user.value());
  Borrowed borrowed(call);
  // Again if others have changed modes meanwhile, or have taken back what they had lent.
  constexpr int kTries = 4;
  bool may_differ = true;
  for (int i = 0; i < kTries && result.Is(EACCES) && may_differ; ++i) {
    std::optional<PathUse> last;
    for (const PathUse& row : kPathUses) {
      if (row.nr != call.nr() || !call.Arg<Path>(row.at).is_there()) continue;
      const PathUse use = UseIn(call, row);
      last = use;
      [[maybe_unused]] const SysResult way = co_await BorrowOnTheWay(call, borrowed, uid, use);
    }
    for (const FdUse& use : kFdUses) {
      if (use.nr != call.nr()) continue;
      [[maybe_unused]] const SysResult object = co_await BorrowOfOpen(call, borrowed, uid, use);
    }
    may_differ = borrowed.count() > 0 || borrowed.has_own();
    if (borrowed.is_interrupted()) {
      result = SysResult::Error(EINTR);
    } else if (borrowed.count() > 0) {
      const SysResult made = co_await MakeBorrowing(call, below, again, last);
      result = made;
    }
    [[maybe_unused]] const SysResult given = co_await GiveBack(call, borrowed);
  }
  co_return result;
}

SysTask Fakeroot::WithPower(Call& call, Below below) const {
  const SysResult result = co_await below(call);
  // Of EPERM the reason is an owner, or what no owner may do.
  if (!result.Is(EACCES) || !call.Credentials().May(CAP_DAC_OVERRIDE)) co_return result;
  const Again again = {&call};
  const SysResult made = co_await WithModesLent(call, below, again);
  co_return made;
}

void Fakeroot::ClaimPower(api::Claims& claims) const {
  // Calls with two paths once; devices.cc has what makes nodes, attributes.cc what sets and removes attributes.
  const auto claim = [&]<size_t kRow>() {
    constexpr Nr kNr = kPathUses[kRow].nr;
    constexpr bool kIsFirst = kRow == 0 || kPathUses[kRow == 0 ? 0 : kRow - 1].nr != kNr;
    if constexpr (kIsFirst && !HasOwnAttempt(kNr)) {
      claims.Attempt<kNr, &Fakeroot::WithPower>(*this);
    }
  };
  [&]<size_t... kRows>(std::index_sequence<kRows...>) { (claim.template operator()<kRows>(), ...); }
  (std::make_index_sequence<std::size(kPathUses)>());
  const auto claim_open = [&]<size_t kRow>() {
    constexpr Nr kNr = kFdUses[kRow].nr;
    if constexpr (!HasOwnAttempt(kNr)) claims.Attempt<kNr, &Fakeroot::WithPower>(*this);
  };
  [&]<size_t... kRows>(std::index_sequence<kRows...>) { (claim_open.template operator()<kRows>(), ...); }
  (std::make_index_sequence<std::size(kFdUses)>());
}

}  // namespace guise::personalities
