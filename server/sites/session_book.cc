#include "server/sites/session_book.h"

#include <algorithm>

#include "proto/wire/book.h"
#include "proto/wire/layout.h"
#include "proto/wire/published.h"

namespace guise::server {
namespace {

using wire::Book;
using wire::BookFile;
using wire::BookSite;

// What one session may say: its averages, of no more processes.
constexpr uint64_t kMostLearners = 1u << 12;

// SAFETY: the book lies within both memories, at a page's offset.
Book& BookIn(const SharedMemory& memory) { return *reinterpret_cast<Book*>(memory.data() + wire::kBookOffset); }

std::string PathIn(const BookFile& file) {
  std::string path;
  for (const wire::Cell<uint8_t>& byte : file.path) {
    const auto c = static_cast<char>(byte.Relaxed());
    if (c == 0) return path;
    path += c;
  }
  return "";
}

}  // namespace

std::vector<sites::File> LearnedIn(const SharedMemory& request) {
  std::vector<sites::File> learned;
  const Book& book = BookIn(request);
  for (uint32_t i = 0; i < wire::kBookFiles; ++i) {
    sites::File file;
    const uint32_t place = book.places[i].Acquire();
    if (place == 0 || place > wire::kBookFiles) continue;
    const BookFile& told = book.files[place - 1];
    file.set_key(book.keys[i].Relaxed());
    file.set_identity(told.identity.Relaxed());
    file.set_path(PathIn(told));
    const uint64_t all = told.learners.Relaxed();
    file.set_learners(std::min(all, kMostLearners));
    if (file.key() == 0 || file.identity() == 0 || all == 0) continue;
    for (const BookSite& entry : told.sites) {
      const uint64_t call = entry.place.Relaxed();
      if (call == 0) break;
      sites::Site* const site = file.add_sites();
      site->set_offset(wire::BookOffset(call));
      site->set_nr(wire::BookNumber(call));
      site->set_text(entry.text.Relaxed());
      site->set_caught(entry.caught.Relaxed() * file.learners() / all);
      site->set_hard((entry.plan.Relaxed() & wire::kBookHard) != 0);
    }
    learned.push_back(std::move(file));
  }
  return learned;
}

void WriteKnown(const SharedMemory& reply, const sites::File& file) {
  Book& book = BookIn(reply);
  uint64_t at = 0;
  bool has_room = false;
  for (uint32_t i = 0; i < wire::kBookProbes && !has_room; ++i) {
    at = (file.key() + i) % wire::kBookFiles;
    has_room = book.keys[at].Relaxed() == 0;
  }
  const uint32_t place = book.used.Relaxed();
  if (!has_room || place == wire::kBookFiles) return;
  BookFile& known = book.files[place];
  uint32_t used = 0;
  for (const sites::Site& site : file.sites()) {
    if (used == wire::kBookSites) break;
    BookSite& entry = known.sites[used++];
    entry.text.StoreRelaxed(site.text());
    entry.caught.StoreRelaxed(static_cast<uint32_t>(std::min<uint64_t>(site.caught(), UINT32_MAX)));
    entry.plan.StoreRelaxed(site.plan());
    entry.place.StoreRelaxed(wire::BookPlace(site.offset(), site.nr()));
  }
  known.device.StoreRelaxed(file.device());
  known.inode.StoreRelaxed(file.inode());
  known.learners.StoreRelaxed(static_cast<uint32_t>(std::min<uint64_t>(file.learners(), UINT32_MAX)));
  known.identity.StoreRelaxed(file.identity());
  book.used.StoreRelaxed(place + 1);
  book.places[at].Release(place + 1);
  book.keys[at].Release(file.key());
  // SAFETY: the root group is at the memory's beginning.
  auto& root = *reinterpret_cast<wire::ReplyGroup*>(reply.data() + wire::kGroupsOffset);
  root.books_before.Release(root.books_before.Relaxed() + 1);
}

}  // namespace guise::server
