#include "server/sites/session_book.h"

#include <algorithm>

#include "proto/wire/book.h"
#include "proto/wire/layout.h"

namespace guise::server {
namespace {

using wire::BookFile;
using wire::BookSite;

constexpr uint64_t kNumber = (uint64_t{1} << wire::kBookNumberBits) - 1;
// What one session may say: more changes no average.
constexpr uint32_t kMostLearners = 1u << 12;
constexpr uint32_t kMostCaught = 1u << 20;

// SAFETY: the book lies within both memories, at a page's offset.
template <typename File>
File* BookIn(const SharedMemory& memory) {
  return reinterpret_cast<File*>(memory.data() + wire::kBookOffset);
}

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
  const auto* const book = BookIn<const BookFile>(request);
  for (uint32_t i = 0; i < wire::kBookFiles; ++i) {
    sites::File file;
    file.set_identity(book[i].identity.Acquire());
    file.set_path(PathIn(book[i]));
    file.set_learners(std::min(book[i].learners.Relaxed(), kMostLearners));
    if (file.identity() == 0 || file.path().empty() || file.path()[0] != '/' || file.learners() == 0) continue;
    for (const BookSite& entry : book[i].sites) {
      const uint64_t place = entry.place.Relaxed();
      if (place == 0) break;
      const uint32_t caught = entry.caught.Relaxed();
      sites::Site* const site = file.add_sites();
      site->set_offset(place >> wire::kBookNumberBits);
      site->set_nr(static_cast<uint32_t>(place & kNumber));
      site->set_text(entry.text.Relaxed());
      site->set_caught(caught == wire::kBookNever ? kStruckOut : std::min(caught, kMostCaught));
    }
    learned.push_back(std::move(file));
  }
  return learned;
}

void WriteKnown(const SharedMemory& reply, const sites::File& file) {
  auto* const book = BookIn<BookFile>(reply);
  BookFile* free = nullptr;
  for (uint32_t i = 0; i < wire::kBookProbes && free == nullptr; ++i) {
    BookFile& at = book[(file.identity() + i) % wire::kBookFiles];
    if (at.identity.Relaxed() == 0) free = &at;
  }
  if (free == nullptr) return;
  uint32_t used = 0;
  for (const sites::Site& site : file.sites()) {
    if (used == wire::kBookSites) break;
    BookSite& entry = free->sites[used++];
    entry.text.StoreRelaxed(site.text());
    entry.caught.StoreRelaxed(static_cast<uint32_t>(std::min<uint64_t>(site.caught(), wire::kBookNever - 1)));
    entry.place.StoreRelaxed(site.offset() << wire::kBookNumberBits | site.nr());
  }
  free->learners.StoreRelaxed(static_cast<uint32_t>(std::min<uint64_t>(file.learners(), UINT32_MAX)));
  free->identity.Release(file.identity());
}

}  // namespace guise::server
