// The session's text rules: in which programs call sites are rewritten. docs/WIRE.md
#ifndef GUISE_SHIM_REWRITE_TEXT_RULES_H_
#define GUISE_SHIM_REWRITE_TEXT_RULES_H_

#include <stdint.h>

namespace guise::shim {

// What the rules say of the program at `path`: true: its text stays as it is. REQUIRES: the last of the `size` bytes is
// 0.
bool KeepsText(const char* rules, uint64_t size, const char* path);

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_TEXT_RULES_H_
