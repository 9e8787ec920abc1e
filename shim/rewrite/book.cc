#include "shim/rewrite/book.h"

#include <initializer_list>

#include "shim/arch/x86_64/syscall.h"
#include "shim/kernel.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::BookFile;
using wire::BookSite;

uint8_t g_chance;

uint64_t Mixed(uint64_t hash, uint64_t word) {
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15u;
  hash = (hash ^ word) * kMultiplier;
  return hash ^ hash >> 29;
}

uint64_t IdentityOf(const struct stat& status) {
  uint64_t hash = 1;
  for (const uint64_t word : {status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size), status.st_mtime,
                              status.st_mtime_nsec, status.st_ctime, status.st_ctime_nsec}) {
    hash = Mixed(hash, word);
  }
  return hash != 0 ? hash : 1;
}

uint64_t PlaceOf(const BookedSite& site) { return site.offset << wire::kBookNumberBits | site.nr; }

BookFile* Find(uint64_t file, bool claims) {
  constexpr uint32_t kProbes = 4;
  auto* const book = reinterpret_cast<BookFile*>(reinterpret_cast<char*>(&RootRequest()) + wire::kBookOffset);
  for (uint32_t i = 0; i < kProbes; ++i) {
    BookFile& at = book[(file + i) % wire::kBookFiles];
    if (claims && at.identity.Relaxed() == 0 && at.identity.CompareSwap(0, file)) at.learners.Add(1);
    if (at.identity.Relaxed() == file) return &at;
  }
  return nullptr;
}

// The site's entry, a new one if need be; null: there is no room.
BookSite* EntryOf(BookFile* book, const BookedSite& site) {
  const uint64_t place = PlaceOf(site);
  for (BookSite& entry : book->sites) {
    if (entry.place.Relaxed() == 0 && entry.place.CompareSwap(0, place)) entry.text.Release(site.text);
    if (entry.place.Relaxed() == place) return &entry;
  }
  return nullptr;
}

}  // namespace

void SetChance(uint8_t chance) { g_chance = chance; }

BookedFile NoteFile(const struct stat& status) {
  const uint64_t file = IdentityOf(status);
  BookFile* const book = Find(file, false);
  if (book == nullptr) return {file, true};
  const bool learns = book->learners.Relaxed() < wire::kBookLearners || g_chance % wire::kBookLearnsOneIn == 0;
  if (learns) book->learners.Add(1);
  return {file, learns};
}

BookedFile NoteFile(int32_t fd) {
  struct stat status;
  return IsError(Native(Nr::fstat, fd, &status)) ? BookedFile{} : NoteFile(status);
}

const wire::BookFile* FindInBook(uint64_t file) { return Find(file, false); }

void AddToBook(uint64_t file, const BookedSite& site, uint32_t times) {
  BookFile* const book = Find(file, true);
  BookSite* const entry = book == nullptr ? nullptr : EntryOf(book, site);
  constexpr uint32_t kMost = wire::kBookNever >> 1;
  if (entry != nullptr && entry->caught.Relaxed() < kMost) entry->caught.Add(times);
}

void StrikeOut(uint64_t file, const BookedSite& site) {
  BookFile* const book = Find(file, true);
  BookSite* const entry = book == nullptr ? nullptr : EntryOf(book, site);
  if (entry != nullptr) entry->caught.StoreRelaxed(wire::kBookNever);
}

}  // namespace guise::shim
