// Text whose bytes are a file's and this process's alone: private mappings, executable and not writable. Only there are
// sites rewritten.
#ifndef GUISE_SHIM_REWRITE_TEXT_H_
#define GUISE_SHIM_REWRITE_TEXT_H_

#include <stdint.h>

namespace guise::shim {

// More than there is room for stays unknown.
void NoteText(uint64_t start, uint64_t size);
// Whole ranges are forgotten when a part of them is.
void ForgetText(uint64_t start, uint64_t size);
bool IsText(uint64_t start, uint64_t size);

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_TEXT_H_
