// Permission bits that files of the user's lend for the length of a call (api/loans.h).
//
// Names may lead elsewhere at any time, by others' doing: a file that lends is held by a descriptor (O_PATH), by which
// it is looked at, changed, and changed back. Only the user's own files lend, and only to their owner.
#ifndef GUISE_PERSONALITIES_FAKEROOT_BORROWING_H_
#define GUISE_PERSONALITIES_FAKEROOT_BORROWING_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "personalities/api/call.h"
#include "personalities/api/files.h"
#include "personalities/api/inode.h"
#include "personalities/api/result.h"
#include "personalities/api/task.h"
#include "personalities/fakeroot/path_uses.h"

namespace guise::personalities {

// Files that this call has borrowed of, or wanted to; each is held by a descriptor in the guest's table.
class Borrowed {
 public:
  static constexpr size_t kMost = 4;
  struct File {
    int fd;
    api::Inode inode;
    bool settles = false;
  };

  explicit Borrowed(api::Call& call) : call_(&call) {}
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
  api::Call* call_;
  std::array<File, kMost> files_ = {};
  size_t count_ = 0;
  bool has_own_ = false;
  bool is_interrupted_ = false;
};

// Borrows what one of the call's paths needs, for `uid`, whose files they must be: on the way, and where it ends.
api::Task<api::SysResult> BorrowOnTheWay(api::Call& call, Borrowed& borrowed, uint32_t uid, PathUse use);

// Likewise of the file that its first argument is open on.
api::Task<api::SysResult> BorrowOfOpen(api::Call& call, Borrowed& borrowed, uint32_t uid, FdUse use);

// All of it. A mode that somebody has given a file meanwhile stays.
api::Task<api::SysResult> GiveBack(api::Call& call, Borrowed& borrowed);

// Where /proc names what is open.
api::Argument NameOfFd(api::Call& call, int fd);

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_FAKEROOT_BORROWING_H_
