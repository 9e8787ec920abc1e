// The state from which every call starts: the same files, descriptors and signals each time.
#ifndef GUISE_TESTS_KINDS_STATE_H_
#define GUISE_TESTS_KINDS_STATE_H_

#include "tests/kinds/recipe.h"

namespace guise::kinds {

// Makes the directory "case" in the current one and enters it: "file" (64 bytes, attribute user.old), "link" to it,
// "dir" with "inner" and "empty". SIGUSR1 is blocked and pending, POSIX timer 0 exists and is not armed.
void EnterState();

// Leaves nothing of "case". To be called by another process than entered it.
void RemoveState();

// Opens `fd` under NumberOf(fd); what this kernel refuses stays closed.
void Open(Fds fd);

// Fills a queue or set with what recipe.h says; its id.
int MakeMailbox();
int MakeSemaphore();

}  // namespace guise::kinds

#endif  // GUISE_TESTS_KINDS_STATE_H_
