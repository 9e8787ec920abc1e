// Where the other parts of Guise lie, seen from the running binary:
//
//   PREFIX/bin/guise   PREFIX/bin/guised   PREFIX/libexec/guise/guise-shim
//
// GUISE_SHIM_PATH and GUISE_SERVER_PATH name the files directly, for trees of another shape.
#ifndef GUISE_SERVER_LAUNCH_INSTALLED_H_
#define GUISE_SERVER_LAUNCH_INSTALLED_H_

#include <string>

#include "absl/status/statusor.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

// The path of the shim's image, opened O_PATH | O_CLOEXEC and seen to be executable. NOT_FOUND or FAILED_PRECONDITION
// with the path that was tried.
absl::StatusOr<OwnedFd> OpenShimImage();

// The path of guised, which exists and is executable.
absl::StatusOr<std::string> FindServerBinary();

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_INSTALLED_H_
