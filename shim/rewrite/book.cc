#include "shim/rewrite/book.h"

#include "shim/arch/x86_64/syscall.h"
#include "shim/kernel.h"
#include "shim/memories.h"
#include "shim/view/file_name.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::BookFile;
using wire::BookSite;

uint8_t g_chance;

uint64_t IdentityOf(const struct stat& status) {
  return wire::BookIdentity({.device = status.st_dev,
                             .inode = status.st_ino,
                             .size = static_cast<uint64_t>(status.st_size),
                             .modified = status.st_mtime,
                             .modified_nanos = status.st_mtime_nsec,
                             .changed = status.st_ctime,
                             .changed_nanos = status.st_ctime_nsec});
}

template <typename File>
File* Find(File* book, uint64_t file) {
  for (uint32_t i = 0; i < wire::kBookProbes; ++i) {
    File& at = book[(file + i) % wire::kBookFiles];
    if (at.identity.Relaxed() == file) return &at;
  }
  return nullptr;
}

BookFile* Own() { return reinterpret_cast<BookFile*>(reinterpret_cast<char*>(&RootRequest()) + wire::kBookOffset); }

// The file's name, for the server, which knows better than to believe it.
void Name(BookFile* file, uint64_t address) {
  if (!file->named.CompareSwap(0, 1)) return;
  char name[wire::kBookPath];
  if (!FileNameAt(address, name, sizeof(name))) return;
  for (uint32_t i = 0; i < wire::kBookPath && name[i] != 0; ++i) {
    file->path[i].StoreRelaxed(static_cast<uint8_t>(name[i]));
  }
}

// The file's in this session, a new one if need be; null: there is no room.
BookFile* Claim(uint64_t file) {
  BookFile* const book = Own();
  for (uint32_t i = 0; i < wire::kBookProbes; ++i) {
    BookFile& at = book[(file + i) % wire::kBookFiles];
    if (at.identity.Relaxed() == 0 && at.identity.CompareSwap(0, file)) at.learners.Add(1);
    if (at.identity.Relaxed() == file) return &at;
  }
  return nullptr;
}

// The site's entry, a new one if need be; null: there is no room.
BookSite* EntryOf(BookFile* book, const BookedSite& site) {
  const uint64_t place = wire::BookPlace(site.offset, site.nr);
  for (BookSite& entry : book->sites) {
    if (entry.place.Relaxed() == 0 && entry.place.CompareSwap(0, place)) entry.text.Release(site.text);
    if (entry.place.Relaxed() == place) return &entry;
  }
  return nullptr;
}

BookSite* ClaimSite(const CaughtAt& at, const BookedSite& site) {
  BookFile* const book = Claim(at.file);
  if (book == nullptr) return nullptr;
  if (at.alone && book->named.Relaxed() == 0) Name(book, at.address);
  return EntryOf(book, site);
}

}  // namespace

void SetChance(uint8_t chance) { g_chance = chance; }

BookedFile NoteFile(const struct stat& status) {
  BookedFile file = {IdentityOf(status), status.st_dev, status.st_ino, true};
  const Books books = FindInBooks(file);
  file.learns = books.learners() < wire::kBookLearners || g_chance % wire::kBookLearnsOneIn == 0;
  if (!file.learns) return file;
  // SAFETY: of this session's, which is writable.
  if (books.session != nullptr) const_cast<BookFile*>(books.session)->learners.Add(1);
  // What is known takes no signals, perhaps, which would claim it.
  if (books.session == nullptr && books.before != nullptr) Claim(file.identity);
  return file;
}

BookedFile NoteFile(int32_t fd) {
  struct stat status;
  return IsError(Native(Nr::fstat, fd, &status)) ? BookedFile{} : NoteFile(status);
}

Books FindInBooks(const BookedFile& file) {
  Books books = {nullptr, Find<const BookFile>(Own(), file.identity)};
  // Where nothing is known, its pages are not touched.
  if (RootReply().books_before.Acquire() == 0) return books;
  books.before = Find<const BookFile>(SitesBefore(), file.identity);
  if (books.before == nullptr) return books;
  // Who has forged the identity has not this file.
  const bool same = books.before->device.Relaxed() == file.device && books.before->inode.Relaxed() == file.inode;
  if (!same) books.before = nullptr;
  return books;
}

void AddToBook(const CaughtAt& at, const BookedSite& site, uint32_t times) {
  BookSite* const entry = ClaimSite(at, site);
  constexpr uint32_t kMost = wire::kBookNever >> 1;
  if (entry != nullptr && entry->caught.Relaxed() < kMost) entry->caught.Add(times);
}

void StrikeOut(const CaughtAt& at, const BookedSite& site) {
  BookSite* const entry = ClaimSite(at, site);
  if (entry != nullptr) entry->caught.StoreRelaxed(wire::kBookNever);
}

}  // namespace guise::shim
