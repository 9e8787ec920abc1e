// A session's site books (proto/wire/book.h), as the server reads and writes them.
#ifndef GUISE_SERVER_SITES_SESSION_BOOK_H_
#define GUISE_SERVER_SITES_SESSION_BOOK_H_

#include <vector>

#include "server/channel/shared_memory.h"
#include "server/sites/sites.pb.h"

namespace guise::server {

// What guests say that they have learned: names, which may be empty, numbers and counts are as hostile as all that they
// write, but within bounds.
std::vector<sites::File> LearnedIn(const SharedMemory& request);

// Writes what is known of one more file into the session's reply memory, while guests run, if there is room.
void WriteKnown(const SharedMemory& reply, const sites::File& file);

}  // namespace guise::server

#endif  // GUISE_SERVER_SITES_SESSION_BOOK_H_
