// What calls that change the memory map mean for rewritten sites.
#ifndef GUISE_SHIM_REWRITE_MAPPINGS_H_
#define GUISE_SHIM_REWRITE_MAPPINGS_H_

#include "shim/gate/call.h"
#include "shim/thread/block.h"

namespace guise::shim {

// Where the program's ELF interpreter has its text. REQUIRES: the program has not begun.
void NoteInterpreter(uint64_t start, uint64_t end);

// A file's text is to be mapped for this process alone: who makes the call tells NoteMapped its result.
bool MapsText(const GuestCall& call);
void NoteMapped(ThreadBlock* block, const GuestCall& call, int64_t result);

// Before any such call is made natively.
void NoteMappings(ThreadBlock* block, const GuestCall& call);

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_MAPPINGS_H_
