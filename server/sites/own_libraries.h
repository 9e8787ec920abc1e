// The C library and the ELF interpreter that the server itself runs with, as most programs do: what can be said of
// their call sites without anybody's having run anything.
#ifndef GUISE_SERVER_SITES_OWN_LIBRARIES_H_
#define GUISE_SERVER_SITES_OWN_LIBRARIES_H_

#include <vector>

#include "server/sites/sites.pb.h"

namespace guise::server {

// With the plans of the sites that processes find no way for by themselves, of any number, and no counts. Their keys
// are no process's. Empty of those that cannot be read.
std::vector<sites::File> OwnLibraries();

}  // namespace guise::server

#endif  // GUISE_SERVER_SITES_OWN_LIBRARIES_H_
