// Unix sockets that have a path.
#ifndef GUISE_SERVER_LAUNCH_UNIX_ADDRESS_H_
#define GUISE_SERVER_LAUNCH_UNIX_ADDRESS_H_

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace guise::server {

// INVALID_ARGUMENT: the path is too long.
inline absl::StatusOr<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": too long for the path of a unix socket"));
  }
  memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_UNIX_ADDRESS_H_
