// Loans: files whose permission bits are others than they were, for as long as calls need them. The session's; in
// memory alone, for a loan is over with its call.
//
// Several calls may borrow the same file's. The first knows the mode that it had, the last gives it back. A file whose
// borrower died stays known, so that the next one gives back the mode that it had before.
//
// Thread safety: none; the session's strand.
#ifndef GUISE_PERSONALITIES_API_LOANS_H_
#define GUISE_PERSONALITIES_API_LOANS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "personalities/api/inode.h"

namespace guise::api {

class Loans {
 public:
  // Modes are permission bits.
  struct Loan {
    Inode inode;
    int borrowers = 0;
    bool is_known = false;  // the modes are
    bool is_settling = false;
    uint32_t before = 0;
    uint32_t lent = 0;
    // Of the modes that the file has had since, and not by somebody else.
    bool IsOwn(uint32_t mode) const { return is_known && (before & ~mode) == 0 && (mode & ~lent) == 0; }
  };

  // A call is about to look at a file, to borrow of it; Return() is owed, and what others do is known from here on.
  // False: too many files.
  bool Enter(const Inode& inode);
  // It has found `mode`, and wants more: what to change it to; nullopt: the file has all. A mode that is none of ours
  // is somebody's own: it is the one to have in the end. REQUIRES: entered, and `mode` was read since.
  std::optional<uint32_t> Lend(const Inode& inode, uint32_t mode, uint32_t wanted);
  // The call needs it no more. The last one gives back: if the file's mode IsOwn() still, it is to be `before`; then
  // Settle() is owed, or Abandon(), of a call that dies. nullopt: others need it.
  std::optional<Loan> Return(const Inode& inode);
  void Settle(const Inode& inode);
  void Abandon(const Inode& inode);
  // Somebody gives back right now: the mode is about to change.
  bool IsSettling(const Inode& inode);
  // Whether something of the file is lent, or was by a call that died.
  bool Has(const Inode& inode) { return Find(inode) != nullptr; }
  // What guests are told of a file that has `mode`: what is only lent is not the file's.
  uint32_t Shown(const Inode& inode, uint32_t mode);
  // Somebody has given the file the mode that it has now, lent or not.
  void Keep(const Inode& inode);

 private:
  Loan* Find(const Inode& inode);

  std::array<Loan, 64> loans_;
  size_t count_ = 0;
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_LOANS_H_
