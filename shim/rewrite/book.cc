#include "shim/rewrite/book.h"

#include "shim/arch/x86_64/syscall.h"
#include "shim/kernel.h"
#include "shim/memories.h"
#include "shim/view/file_name.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::Book;
using wire::BookFile;
using wire::BookSite;
using wire::Cell;

uint8_t g_chance;
uint64_t g_program;  // its identity

uint64_t IdentityOf(const struct stat& status) {
  return wire::BookIdentity({.device = status.st_dev,
                             .inode = status.st_ino,
                             .size = static_cast<uint64_t>(status.st_size),
                             .modified = status.st_mtime,
                             .modified_nanos = status.st_mtime_nsec,
                             .changed = status.st_ctime,
                             .changed_nanos = status.st_ctime_nsec});
}

// What a key's place says, which may be anything; null: nothing yet.
template <typename File>
File* FileAt(File* files, uint32_t place) {
  return place == 0 || place > wire::kBookFiles ? nullptr : &files[place - 1];
}

const BookFile* Find(const Book& book, uint64_t key) {
  for (uint32_t i = 0; i < wire::kBookProbes; ++i) {
    const uint64_t at = (key + i) % wire::kBookFiles;
    const uint64_t found = book.keys[at].Relaxed();
    if (found == key) return FileAt(book.files, book.places[at].Acquire());
    if (found == 0) break;
  }
  return nullptr;
}

Book& Own() { return *reinterpret_cast<Book*>(reinterpret_cast<char*>(&RootRequest()) + wire::kBookOffset); }

// The file's name, for the server, which knows better than to believe it.
void Name(BookFile* file, uint64_t address) {
  if (!file->named.CompareSwap(0, 1)) return;
  char name[wire::kBookPath];
  if (!FileNameAt(address, name, sizeof(name))) return;
  for (uint32_t i = 0; i < wire::kBookPath && name[i] != 0; ++i) {
    file->path[i].StoreRelaxed(static_cast<uint8_t>(name[i]));
  }
}

// Whether a file may be claimed that has no entry, where there are less than `most`.
bool HasRoom(const Book& book, uint64_t key, uint32_t most) {
  if (book.used.Relaxed() >= most) return false;
  for (uint32_t i = 0; i < wire::kBookProbes; ++i) {
    if (book.keys[(key + i) % wire::kBookFiles].Relaxed() == 0) return true;
  }
  return false;
}

// The file's entry in this session, a new one if need be; null: there is no room.
BookFile* Claim(uint64_t key, uint64_t identity) {
  Book& book = Own();
  for (uint32_t i = 0; i < wire::kBookProbes; ++i) {
    const uint64_t at = (key + i) % wire::kBookFiles;
    Cell<uint64_t>& owner = book.keys[at];
    const bool is_full = book.used.Relaxed() >= wire::kBookFiles;
    if (!is_full && owner.Relaxed() == 0 && owner.CompareSwap(0, key)) {
      const uint32_t place = book.used.Add(1) + 1;
      BookFile* const file = FileAt(book.files, place);
      if (file == nullptr) return nullptr;
      file->identity.StoreRelaxed(identity);
      file->learners.Add(1);
      book.places[at].Release(place);
    }
    if (owner.Relaxed() == key) return FileAt(book.files, book.places[at].Acquire());
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
  BookFile* const book = Claim(at.key, at.file);
  if (book == nullptr) return nullptr;
  if (at.alone && book->named.Relaxed() == 0) Name(book, at.address);
  return EntryOf(book, site);
}

bool IsOf(const BookFile& before, const BookedFile& file) {
  return before.device.Relaxed() == file.device && before.inode.Relaxed() == file.inode;
}

// What the server has found of the site, whatever is called there; 0: nothing.
uint32_t PlanIn(const BookFile& before, const BookedSite& site) {
  for (const BookSite& entry : before.sites) {
    const uint64_t found = entry.place.Relaxed();
    if (wire::BookOffset(found) == site.offset && entry.text.Relaxed() == site.text) {
      return entry.plan.Relaxed() & ~uint32_t{wire::kBookHard};
    }
    if (found == 0) break;
  }
  return 0;
}

// Of a file in `program`; 0: it is that, or makes the same calls for all of them.
BookedFile Note(const struct stat& status, uint64_t program) {
  const uint64_t identity = IdentityOf(status);
  BookedFile file = {wire::BookKey(identity, program), identity, status.st_dev, status.st_ino, true};
  Books books = FindInBooks(file);
  const auto can_have = [&](uint32_t most) {
    return books.session != nullptr || books.before != nullptr || HasRoom(Own(), file.key, most);
  };
  if (program != 0 && !can_have(wire::kBookOfPrograms)) {
    file.key = wire::BookKey(identity, program % wire::kBookShared + 1);
    books = FindInBooks(file);
  }
  // To learn without an entry would be to take signals for nothing.
  file.learns =
      (books.learners() < wire::kBookLearners || g_chance % wire::kBookLearnsOneIn == 0) && can_have(wire::kBookFiles);
  if (!file.learns) return file;
  // SAFETY: of this session's, which is writable.
  if (books.session != nullptr) const_cast<BookFile*>(books.session)->learners.Add(1);
  // What is known takes no signals, perhaps, which would claim it.
  if (books.session == nullptr && books.before != nullptr) Claim(file.key, identity);
  return file;
}

}  // namespace

void SetChance(uint8_t chance) { g_chance = chance; }

BookedFile NoteFile(const struct stat& status, Role role) {
  if (role == Role::kProgram) g_program = IdentityOf(status);
  return Note(status, 0);
}

BookedFile NoteLibrary(int32_t fd) {
  struct stat status;
  return IsError(Native(Nr::fstat, fd, &status)) ? BookedFile{} : Note(status, g_program);
}

Books FindInBooks(const BookedFile& file) {
  Books books = {nullptr, Find(Own(), file.key)};
  // Where nothing is known, its pages are not touched.
  if (RootReply().books_before.Acquire() == 0) return books;
  books.before = Find(SitesBefore(), file.key);
  if (books.before == nullptr) return books;
  // Who has forged the key has not this file.
  if (!IsOf(*books.before, file)) books.before = nullptr;
  return books;
}

uint32_t PlanOfLibrary(const BookedFile& file, const BookedSite& site) {
  const BookFile* const library = Find(SitesBefore(), wire::BookKey(file.identity, file.identity));
  return library == nullptr || !IsOf(*library, file) ? 0 : PlanIn(*library, site);
}

uint32_t PlanBefore(const BookedFile& file, const BookedSite& site) {
  const uint32_t used = FilesBefore();
  for (uint32_t i = 0; i < used && i < wire::kBookFiles; ++i) {
    const BookFile& before = SitesBefore().files[i];
    if (before.identity.Relaxed() != file.identity || !IsOf(before, file)) continue;
    const uint32_t plan = PlanIn(before, site);
    if (plan != 0) return plan;
  }
  return 0;
}

uint32_t FilesBefore() { return RootReply().books_before.Acquire(); }

void AddToBook(const CaughtAt& at, const BookedSite& site, uint32_t times) {
  BookSite* const entry = ClaimSite(at, site);
  if (entry == nullptr) return;
  constexpr uint32_t kMost = 1u << 31;
  if (entry->caught.Relaxed() < kMost) entry->caught.Add(times);
  if (site.plan != 0) entry->plan.StoreRelaxed(wire::kBookHard);
}

}  // namespace guise::shim
