// Text whose bytes are a file's and this process's alone: private mappings, executable and not writable. Only there are
// sites rewritten.
#ifndef GUISE_SHIM_REWRITE_TEXT_H_
#define GUISE_SHIM_REWRITE_TEXT_H_

#include <stdint.h>

namespace guise::shim {

struct TextRange {
  uint64_t start;
  uint64_t end;
  uint64_t key;   // of its entry in the site book (book.h); 0: none
  uint64_t file;  // its identity there
  uint64_t device;
  uint64_t inode;
  uint64_t offset;  // of `start` in it
  bool learns;      // this process tells the book of its calls there
};

// More than there is room for stays unknown.
void NoteText(const TextRange& range);
// Whole ranges are forgotten when a part of them is.
void ForgetText(uint64_t start, uint64_t size);
// The range that holds all of [start, start + size). False: none does.
bool FindText(uint64_t start, uint64_t size, TextRange* range);
inline bool IsText(uint64_t start, uint64_t size) {
  TextRange range;
  return FindText(start, size, &range);
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_TEXT_H_
