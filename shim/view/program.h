// The program that this process runs: what /proc/self/exe leads to natively, where the kernel's own leads to the image.
#ifndef GUISE_SHIM_VIEW_PROGRAM_H_
#define GUISE_SHIM_VIEW_PROGRAM_H_

#include <stdint.h>

#include "shim/thread/block.h"

namespace guise::shim {

// The program: `page` shows its file; `path`, by which it was exec'ed, is its name while the kernel tells none, and
// stays the caller's. The kernel is asked when somebody wants to know, for that costs as much as several mappings.
void NoteProgram(uint64_t page, const char* path);

// Before mappings in a range change: the kernel could not be asked any more.
void KeepProgram(uint64_t start, uint64_t size);

// A link in /proc like the one that the path stands for, to the file itself, whatever has become of its name; it is the
// block's. Null: there is no fd of it (KeepProgramFile of fd_moves.h).
const char* ProgramLink(ThreadBlock* block);
// By name, where there is no link. Empty: not known.
const char* Program();

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_PROGRAM_H_
