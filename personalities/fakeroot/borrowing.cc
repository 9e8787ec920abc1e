#include "personalities/fakeroot/borrowing.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "personalities/fakeroot/creation.h"

namespace guise::personalities {

using api::Argument;
using api::Call;
using api::FileStatus;
using api::Loans;
using api::Nr;
using api::Path;
using api::SysResult;
using api::SysResultOr;
using api::Task;

Argument NameOfFd(Call& call, int fd) {
  constexpr char kFds[] = "/proc/thread-self/fd/";
  char name[sizeof(kFds) + 16];
  std::memcpy(name, kFds, sizeof(kFds));
  char* const end = std::to_chars(name + sizeof(kFds) - 1, name + sizeof(name), fd).ptr;
  return call.Put({name, static_cast<size_t>(end - name)});
}

namespace {

constexpr int kNoFd = -1;

// Whether native calls are left to borrow of one file more, to make the call, and to give all back.
bool HasCallsFor(Call& call, size_t borrowed) {
  constexpr size_t kToBorrow = 4, kToGiveBack = 3, kRest = 4;
  const size_t to_create = MayCreate(call) && GivesOwners(call) ? kMoreCallsToCreate : 0;
  return borrowed < Borrowed::kMost && call.RunsLeft() >= kToBorrow + kToGiveBack * (borrowed + 1) + kRest + to_create;
}

// A file that a path leads to, and what is wanted of it.
struct Wanted {
  Argument start;
  Argument path;
  uint32_t bits;
};

// Borrows what it lacks, if it is the user's: nothing of a file with a set-id bit, which an unprivileged chmod(2) takes
// away. False: nothing was borrowed.
Task<bool> Borrow(Call& call, Borrowed& borrowed, uint32_t uid, Wanted wanted) {
  const bool follows = (wanted.bits & kMoved) == 0;
  const int no_follow = follows ? 0 : AT_SYMLINK_NOFOLLOW;
  const auto may_lend = [uid](const FileStatus& file) {
    return file.native.uid == uid && (file.mode & (S_ISUID | S_ISGID)) == 0 &&
           (S_ISDIR(file.mode) || S_ISREG(file.mode));
  };
  const SysResultOr<FileStatus> seen = co_await StatusOf(call, wanted.start, wanted.path, no_follow);
  if (!seen.ok() || !may_lend(seen.value())) co_return false;
  // What others have lent is borrowed, too, for else they take it back.
  const bool lacks = (NeededOf(seen.value(), wanted.bits) & ~seen.value().mode) != 0;
  if (!lacks && !call.loans().Has(seen.value().inode)) {
    borrowed.NoteOwn();
    co_return false;
  }
  if (!HasCallsFor(call, borrowed.count()) || !call.loans().Enter(seen.value().inode)) co_return false;
  borrowed.Add({kNoFd, seen.value().inode});
  const int flags = O_PATH | O_CLOEXEC | (follows ? 0 : O_NOFOLLOW);
  const SysResult held = co_await call.Run(Nr::openat, wanted.start, wanted.path, flags, 0);
  if (held.Is(EINTR)) borrowed.NoteInterrupted();
  if (!held.ok()) co_return false;
  const int fd = static_cast<int>(held.value());
  borrowed.last().fd = fd;
  // What others give back comes first.
  constexpr int kPatience = 3;
  for (int i = 0; i < kPatience && call.loans().IsSettling(seen.value().inode); ++i) {
    // What is borrowed can be given back in any case.
    if (!HasCallsFor(call, borrowed.count() - 1)) break;
    [[maybe_unused]] const SysResult yielded = co_await call.Run(Nr::sched_yield);
  }
  const Argument empty = call.Put("");
  const SysResultOr<FileStatus> status = co_await StatusOf(call, fd, empty, AT_EMPTY_PATH);
  // Another file has got the name meanwhile, perhaps.
  if (!status.ok() || status.value().inode != seen.value().inode || !may_lend(status.value())) co_return false;
  const FileStatus& file = status.value();
  const std::optional<uint32_t> lent = call.loans().Lend(file.inode, file.mode & 07777, NeededOf(file, wanted.bits));
  if (lent.has_value()) {
    const Argument name = NameOfFd(call, fd);
    const uint32_t mode = *lent;
    [[maybe_unused]] const SysResult changed = co_await call.Run(Nr::fchmodat, AT_FDCWD, name, mode, 0);
  }
  co_return true;
}

// The end of the first component from `at` on, with the slashes behind it.
size_t NextName(std::string_view path, size_t at) {
  at = std::min(path.find('/', at), path.size());
  return std::min(path.find_first_not_of('/', at), path.size());
}

// By a way that takes no permission on it.
Argument NameOfStart(Call& call, int start) {
  return start == AT_FDCWD ? call.Put("/proc/thread-self/cwd") : NameOfFd(call, start);
}

}  // namespace

Task<SysResult> BorrowOnTheWay(Call& call, Borrowed& borrowed, uint32_t uid, PathUse use) {
  const std::string_view path = call.Arg<Path>(use.at).text;
  const int start = StartOf(call, use);
  size_t begin = std::min(path.find_first_not_of('/'), path.size());
  while (begin < path.size() && !borrowed.is_interrupted()) {
    const size_t end = NextName(path, begin);
    // The directory that this name is looked up in.
    const Wanted parent = {start, begin == 0 ? NameOfStart(call, start) : call.Put(path.substr(0, begin)),
                           kSearch | (end >= path.size() ? use.parent : 0)};
    if (!HasCallsFor(call, borrowed.count())) co_return SysResult::Ok();
    [[maybe_unused]] const bool some = co_await Borrow(call, borrowed, uid, parent);
    begin = end;
  }
  if (use.object == 0 || borrowed.is_interrupted() || !HasCallsFor(call, borrowed.count())) co_return SysResult::Ok();
  const Wanted object = {start, call.Forward(use.at), use.object};
  [[maybe_unused]] const bool some = co_await Borrow(call, borrowed, uid, object);
  co_return SysResult::Ok();
}

Task<SysResult> BorrowOfOpen(Call& call, Borrowed& borrowed, uint32_t uid, FdUse use) {
  const Wanted object = {AT_FDCWD, NameOfFd(call, call.Arg<int>(0)), use.object};
  [[maybe_unused]] const bool some = co_await Borrow(call, borrowed, uid, object);
  co_return SysResult::Ok();
}

Task<SysResult> GiveBack(Call& call, Borrowed& borrowed) {
  while (borrowed.count() > 0) {
    const Borrowed::File file = borrowed.last();
    const int fd = file.fd;
    const std::optional<Loans::Loan> loan = call.loans().Return(file.inode);
    borrowed.last().settles = true;
    if (loan.has_value() && fd != kNoFd) {
      const Argument empty = call.Put("");
      const SysResultOr<FileStatus> now = co_await StatusOf(call, fd, empty, AT_EMPTY_PATH);
      const uint32_t mode = now.ok() ? now.value().mode & 07777 : 0;
      if (now.ok() && now.value().inode == file.inode && loan->IsOwn(mode) && mode != loan->before) {
        const Argument name = NameOfFd(call, fd);
        const uint32_t before = loan->before;
        [[maybe_unused]] const SysResult changed = co_await call.Run(Nr::fchmodat, AT_FDCWD, name, before, 0);
      }
    }
    if (loan.has_value() && (fd != kNoFd || !loan->is_known)) {
      call.loans().Settle(file.inode);
    } else if (loan.has_value()) {
      call.loans().Abandon(file.inode);
    }
    borrowed.Drop();
    if (fd != kNoFd) {
      [[maybe_unused]] const SysResult closed = co_await call.Run(Nr::close, fd);
    }
  }
  co_return SysResult::Ok();
}

}  // namespace guise::personalities
