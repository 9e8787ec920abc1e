// Root's power over modes (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH; capabilities(7)): what the kernel refuses the real
// user for want of permission bits on files of its own, root may do. The bits are lent for the length of the call: the
// owner gets them, the call is made again, and the mode is as before (api/loans.h). So no file's mode is another than
// the one that guests have set, on disk and after the session; others may see the lent bits, and the change time says
// that there was a change.
//
// Names may lead elsewhere at any time, by others' doing: a file that lends is held by a descriptor (O_PATH), by which
// it is looked at, changed, and changed back. Only the user's own files lend, and only to their owner.
//
// ABI: fs/namei.c, generic_permission(): directories are searched, and changed, by their owner with x and w;
// vfs_rename(): a directory that gets another parent is changed itself.
#include "personalities/fakeroot/power.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "personalities/fakeroot/fakeroot.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::FileStatus;
using api::Loans;
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

constexpr uint32_t kRead = 0400, kWrite = 0200, kSearch = 0100;
// Of an object that is moved: a directory is written to, anything else is not, and no link is followed.
constexpr uint32_t kMoved = 01000;
// Of one that is asked whether it may be executed: what somebody may execute, root may.
constexpr uint32_t kExecute = 02000;

// A path that a call names, and what it takes beside search permission on the way.
struct PathUse {
  Nr nr;
  uint8_t at;          // the path's argument
  bool has_directory;  // the argument in front of it says from where
  uint32_t parent;     // permissions on the directory that the name is in
  uint32_t object;     // and on what it names
};

// Calls with two paths have two rows.
constexpr PathUse kUses[] = {
    {Nr::open, 0, false, kWrite, kRead | kWrite},    // by its flags
    {Nr::creat, 0, false, kWrite, kWrite},           //
    {Nr::openat, 1, true, kWrite, kRead | kWrite},   // by its flags
    {Nr::openat2, 1, true, kWrite, kRead | kWrite},  //
    {Nr::mkdir, 0, false, kWrite, 0},
    {Nr::mkdirat, 1, true, kWrite, 0},
    {Nr::mknod, 0, false, kWrite, 0},
    {Nr::mknodat, 1, true, kWrite, 0},
    {Nr::rmdir, 0, false, kWrite, 0},
    {Nr::unlink, 0, false, kWrite, 0},
    {Nr::unlinkat, 1, true, kWrite, 0},
    {Nr::symlink, 1, false, kWrite, 0},
    {Nr::symlinkat, 2, true, kWrite, 0},
    {Nr::link, 0, false, 0, 0},
    {Nr::link, 1, false, kWrite, 0},
    {Nr::linkat, 1, true, 0, 0},
    {Nr::linkat, 3, true, kWrite, 0},
    {Nr::rename, 0, false, kWrite, kMoved},
    {Nr::rename, 1, false, kWrite, 0},
    {Nr::renameat, 1, true, kWrite, kMoved},
    {Nr::renameat, 3, true, kWrite, 0},
    {Nr::renameat2, 1, true, kWrite, kMoved},
    {Nr::renameat2, 3, true, kWrite, kMoved},
    {Nr::stat, 0, false, 0, 0},
    {Nr::lstat, 0, false, 0, 0},
    {Nr::newfstatat, 1, true, 0, 0},
    {Nr::statx, 1, true, 0, 0},
    {Nr::access, 0, false, 0, kRead | kWrite},     // by what is asked
    {Nr::faccessat, 1, true, 0, kRead | kWrite},   //
    {Nr::faccessat2, 1, true, 0, kRead | kWrite},  //
    {Nr::readlink, 0, false, 0, 0},
    {Nr::readlinkat, 1, true, 0, 0},
    {Nr::chdir, 0, false, 0, kSearch},
    {Nr::chmod, 0, false, 0, 0},
    {Nr::fchmodat, 1, true, 0, 0},
    {Nr::fchmodat2, 1, true, 0, 0},
    {Nr::chown, 0, false, 0, 0},
    {Nr::lchown, 0, false, 0, 0},
    {Nr::fchownat, 1, true, 0, 0},
    {Nr::truncate, 0, false, 0, kWrite},
    {Nr::utime, 0, false, 0, 0},
    {Nr::utimes, 0, false, 0, 0},
    {Nr::futimesat, 1, true, 0, 0},
    {Nr::utimensat, 1, true, 0, 0},
    {Nr::statfs, 0, false, 0, 0},
    {Nr::setxattr, 0, false, 0, kWrite},
    {Nr::lsetxattr, 0, false, 0, kWrite},
    {Nr::getxattr, 0, false, 0, kRead},
    {Nr::lgetxattr, 0, false, 0, kRead},
    {Nr::listxattr, 0, false, 0, 0},
    {Nr::llistxattr, 0, false, 0, 0},
    {Nr::removexattr, 0, false, 0, kWrite},
    {Nr::lremovexattr, 0, false, 0, kWrite},
    {Nr::inotify_add_watch, 1, false, 0, kRead},
};

// The same for this call: what its flags do not want is not needed.
PathUse UseIn(const Call& call, PathUse use) {
  switch (use.nr) {
    case Nr::open:
    case Nr::openat: {
      const int flags = call.Arg<int>(use.at + 1);
      const int mode = flags & O_ACCMODE;
      if ((flags & O_CREAT) == 0) use.parent = 0;
      use.object = (mode != O_WRONLY ? kRead : 0) | (mode != O_RDONLY || (flags & O_TRUNC) != 0 ? kWrite : 0);
      if ((flags & O_PATH) != 0) use.object = 0;
      return use;
    }
    case Nr::access:
    case Nr::faccessat:
    case Nr::faccessat2: {
      const int asked = call.Arg<int>(use.at + 1);
      use.object =
          ((asked & R_OK) != 0 ? kRead : 0) | ((asked & W_OK) != 0 ? kWrite : 0) | ((asked & X_OK) != 0 ? kExecute : 0);
      return use;
    }
    default:
      return use;
  }
}

// Calls that others of this folder attempt.
constexpr bool HasOwnAttempt(Nr nr) {
  return nr == Nr::mknod || nr == Nr::mknodat || nr == Nr::setxattr || nr == Nr::lsetxattr || nr == Nr::removexattr ||
         nr == Nr::lremovexattr;
}

bool Opens(Nr nr) { return nr == Nr::open || nr == Nr::creat || nr == Nr::openat || nr == Nr::openat2; }
bool ChangesMode(Nr nr) { return nr == Nr::chmod || nr == Nr::fchmodat || nr == Nr::fchmodat2; }

// Permission bits that the owner of a file needs.
uint32_t NeededOf(const FileStatus& file, uint32_t wanted) {
  const bool is_directory = S_ISDIR(file.mode);
  if ((wanted & kMoved) != 0) return is_directory ? kWrite | kSearch : 0;
  const bool executes = (wanted & kExecute) != 0 && (file.mode & 0111) != 0;
  if (executes || (is_directory && wanted != 0)) wanted |= kSearch;
  return wanted & (kRead | kWrite | kSearch);
}

constexpr int kNoFd = -1;

// Files that this call has borrowed of, or wanted to; each is held by a descriptor in the guest's table.
class Borrowed {
 public:
  static constexpr size_t kMost = 4;
  struct File {
    int fd;
    api::Inode inode;
    bool settles = false;
  };

  explicit Borrowed(Call& call) : call_(&call) {}
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  // Of a call that was cancelled: nobody is there to give back.
  ~Borrowed() {
    for (; count_ > 0; --count_) {
      const File& file = files_[count_ - 1];
      if (file.settles || call_->loans().Return(file.inode).has_value()) call_->loans().Abandon(file.inode);
    }
  }

  void Add(const File& file) { files_[count_++] = file; }
  // The user's own, and lacking nothing: bits that another call has given back since, perhaps.
  void NoteOwn() { has_own_ = true; }
  bool has_own() const { return has_own_; }
  // A signal has come, which the call is made again behind.
  void NoteInterrupted() { is_interrupted_ = true; }
  bool is_interrupted() const { return is_interrupted_; }
  File& last() { return files_[count_ - 1]; }
  void Drop() { --count_; }
  size_t count() const { return count_; }

 private:
  Call* call_;
  std::array<File, kMost> files_ = {};
  size_t count_ = 0;
  bool has_own_ = false;
  bool is_interrupted_ = false;
};

// Whether native calls are left to borrow of one file more, to make the call, and to give all back.
bool HasCallsFor(const Call& call, size_t borrowed) {
  constexpr size_t kToBorrow = 4, kToGiveBack = 3, kRest = 4;
  return borrowed < Borrowed::kMost && call.RunsLeft() >= kToBorrow + kToGiveBack * (borrowed + 1) + kRest;
}

Argument NameOfFd(Call& call, int fd) {
  constexpr char kFds[] = "/proc/thread-self/fd/";
  char name[sizeof(kFds) + 16];
  std::memcpy(name, kFds, sizeof(kFds));
  char* const end = std::to_chars(name + sizeof(kFds) - 1, name + sizeof(name), fd).ptr;
  return call.Put({name, static_cast<size_t>(end - name)});
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

// Where a relative path begins.
int StartOf(const Call& call, const PathUse& use) { return use.has_directory ? call.Arg<int>(use.at - 1) : AT_FDCWD; }
// By a way that takes no permission on it.
Argument NameOfStart(Call& call, int start) {
  return start == AT_FDCWD ? call.Put("/proc/thread-self/cwd") : NameOfFd(call, start);
}

// On the way to one of the call's paths, and where it ends.
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

// A mode that somebody has given a file meanwhile stays.
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

// With what is needed borrowed.
Task<SysResult> MakeBorrowing(Call& call, Below below, const Again& again, PathUse use) {
  const int start = StartOf(call, use);
  const Argument whole = call.Forward(use.at);
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
    PathUse last = {};
    for (const PathUse& row : kUses) {
      if (row.nr != call.nr() || !call.Arg<Path>(row.at).is_there()) continue;
      last = UseIn(call, row);
      const PathUse use = last;
      [[maybe_unused]] const SysResult way = co_await BorrowOnTheWay(call, borrowed, uid, use);
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
    constexpr Nr kNr = kUses[kRow].nr;
    constexpr bool kIsFirst = kRow == 0 || kUses[kRow == 0 ? 0 : kRow - 1].nr != kNr;
    if constexpr (kIsFirst && !HasOwnAttempt(kNr)) {
      claims.Attempt<kNr, &Fakeroot::WithPower>(*this);
    }
  };
  [&]<size_t... kRows>(std::index_sequence<kRows...>) { (claim.template operator()<kRows>(), ...); }
  (std::make_index_sequence<std::size(kUses)>());
}

}  // namespace guise::personalities
