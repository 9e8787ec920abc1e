// The site books, proto/wire/book.h: what processes learn of a file's call sites, for those that map it later, and what
// the server knows from sessions before.
#ifndef GUISE_SHIM_REWRITE_BOOK_H_
#define GUISE_SHIM_REWRITE_BOOK_H_

#include <asm/stat.h>
#include <stdint.h>

#include <initializer_list>

#include "proto/wire/book.h"
#include "shim/rewrite/text.h"

namespace guise::shim {

// A file that is being mapped.
struct BookedFile {
  uint64_t key;  // of its entry in the books; 0: none
  uint64_t identity;
  uint64_t device;
  uint64_t inode;
  bool learns;  // this process
};
// A program's own file, or its ELF interpreter; a file that is mapped later, in the program whose file was noted last
// as such. The book is told if this process learns of it.
enum class Role { kProgram, kInterpreter };
BookedFile NoteFile(const struct stat& status, Role role);
BookedFile NoteLibrary(int32_t fd);

// Of the file, from `offset` on.
constexpr TextRange TextIn(const BookedFile& file, uint64_t start, uint64_t end, uint64_t offset) {
  return {.start = start,
          .end = end,
          .key = file.key,
          .file = file.identity,
          .device = file.device,
          .inode = file.inode,
          .offset = offset,
          .learns = file.learns};
}
constexpr BookedFile FileOf(const TextRange& range) {
  return {range.key, range.file, range.device, range.inode, range.learns};
}

// Any number, by which chance says whether this process learns. REQUIRES: no file has been noted.
void SetChance(uint8_t chance);

struct BookedSite {
  uint64_t offset;  // of its syscall instruction in the file
  uint32_t nr;
  uint64_t text;        // its first eight bytes
  uint32_t caught = 0;  // in two processes, on average; of ForBookedSites
  uint32_t plan = 0;    // wire::BookPlan; what the server has found in files is its alone
};
// Where a site was caught.
struct CaughtAt {
  uint64_t key;      // of the file's entry
  uint64_t file;     // its identity
  uint64_t address;  //
  bool alone;        // the process has one thread: only then the file's name is asked for
};
// The site has been caught, `times` more; with kBookHard in its plan it could not be rewritten.
void AddToBook(const CaughtAt& at, const BookedSite& site, uint32_t times);

// What is known of a file; null: nothing.
struct Books {
  const wire::BookFile* before;   // from the server
  const wire::BookFile* session;  // from this session's processes
  uint64_t learners() const {
    return (before == nullptr ? 0 : uint64_t{before->learners.Relaxed()}) +
           (session == nullptr ? 0 : uint64_t{session->learners.Relaxed()});
  }
};
Books FindInBooks(const BookedFile& file);

// The plan that the server has found for the site in its file (wire::BookPlan), whichever program it knows it from; 0:
// none yet.
uint32_t PlanBefore(const BookedFile& file, const BookedSite& site);
// The same of a library that the server tells of whoever runs: at once.
uint32_t PlanOfLibrary(const BookedFile& file, const BookedSite& site);
// Changes when the server tells of one more file.
uint32_t FilesBefore();

// Calls in two processes, to the nearest: what each of them calls once has to be two, though one has not ended yet.
constexpr uint32_t InTwo(uint32_t caught, uint64_t learners) {
  return static_cast<uint32_t>((2 * uint64_t{caught} + learners / 2) / learners);
}

// Calls `visit` with each site of the file in [start, end); twice, with a part of its calls, if both books know it.
// Nothing of it is to be believed.
template <typename Visit>
void ForBookedSites(const BookedFile& file, uint64_t start, uint64_t end, Visit visit) {
  const Books books = FindInBooks(file);
  const uint64_t learners = books.learners();
  if (learners == 0) return;
  for (const wire::BookFile* const book : {books.session, books.before}) {
    if (book == nullptr) continue;
    for (const wire::BookSite& site : book->sites) {
      const uint64_t place = site.place.Relaxed();
      if (place == 0) break;
      const uint64_t offset = wire::BookOffset(place);
      if (offset < start || offset >= end) continue;
      const uint32_t plan = site.plan.Relaxed();
      visit(BookedSite{offset, wire::BookNumber(place), site.text.Relaxed(), InTwo(site.caught.Relaxed(), learners),
                       book == books.session ? plan & wire::kBookHard : plan & ~uint32_t{wire::kBookHard}});
    }
  }
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_BOOK_H_
