// Sites that the site book knows are rewritten while their text is mapped, all of them at once.
#ifndef GUISE_SHIM_REWRITE_KNOWN_H_
#define GUISE_SHIM_REWRITE_KNOWN_H_

#include <stdint.h>

#include "shim/rewrite/book.h"
#include "shim/rewrite/stub_code.h"
#include "shim/rewrite/text.h"
#include "shim/thread/block.h"

namespace guise::shim {

// What the book knows of a file's text, by offset; nothing of it is compared with the text yet.
class KnownSites {
 public:
  struct Site {
    BookedSite booked;
    const StubHead* head;  // null: it stays as it is
  };

  // Looks up the text from `start` to `end` of the file. Sites that cost more than they spare stay out. False: all do,
  // or this process learns, or it cannot rewrite them now, for it has other threads.
  bool Look(const ThreadBlock* block, const BookedFile& file, uint64_t start, uint64_t end);

  Site* begin() { return sites_; }
  Site* end() { return sites_ + count_; }

 private:
  void Add(const BookedSite& booked);
  bool KeepWorthwhile();

  static constexpr uint32_t kMost = 2 * wire::kBookSites;  // of both books
  Site sites_[kMost];
  uint32_t count_ = 0;
};

// Rewrites the sites of a text that was mapped from `fd` just now, readable and writable and not executable; it is
// executable and not writable then. Without the shim's %gs they are caught by a fault each time: the caller takes it,
// before the text is executed.
void RewriteOpen(KnownSites* sites, const TextRange& range, int32_t fd);

// The same for a text that is executable already, and that nobody has executed, if it pays.
void RewriteKnown(ThreadBlock* block, const BookedFile& file, const TextRange& range, int32_t fd);

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_KNOWN_H_
