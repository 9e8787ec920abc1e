// The user's config file: what holds for each session that `guise run` makes.
#ifndef GUISE_SERVER_CLI_CONFIG_H_
#define GUISE_SERVER_CLI_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/control/v1/config.pb.h"

namespace guise::server {

// Paths in it that there are are without links. Of the file at `path`; when that is empty, of the user's own, which
// need not be there. INVALID_ARGUMENT: it cannot be read, or what is in it, with the line.
absl::StatusOr<v1::Config> ReadConfig(const std::string& path);

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_CONFIG_H_
