// The name of the program that this process runs: what /proc/self/exe says natively.
#ifndef GUISE_SHIM_VIEW_PROGRAM_H_
#define GUISE_SHIM_VIEW_PROGRAM_H_

#include <stdint.h>

namespace guise::shim {

// The program: `page` shows its file; `path`, by which it was exec'ed, is its name while the kernel tells none, and
// stays the caller's. The kernel is asked when somebody wants to know, for that costs as much as several mappings.
void NoteProgram(uint64_t page, const char* path);

// Before mappings in a range change: the kernel could not be asked any more.
void KeepProgram(uint64_t start, uint64_t size);

// Empty: not known.
const char* Program();

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_PROGRAM_H_
