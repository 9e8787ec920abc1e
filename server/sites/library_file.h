// A library of sites as a file: a line that says what it is, a checksum, and the message.
#ifndef GUISE_SERVER_SITES_LIBRARY_FILE_H_
#define GUISE_SERVER_SITES_LIBRARY_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/sites/sites.pb.h"

namespace guise::server {

// Of the file in `directory`. NOT_FOUND: there is none. DATA_LOSS: damaged, of another version, or not the caller's
// own.
absl::StatusOr<sites::Library> ReadLibrary(const std::string& directory);

// Replaces the file whole, and makes the directory (0700), and that above it. PERMISSION_DENIED as above; else the
// errors are the system's.
absl::Status WriteLibrary(const std::string& directory, const sites::Library& library);

}  // namespace guise::server

#endif  // GUISE_SERVER_SITES_LIBRARY_FILE_H_
