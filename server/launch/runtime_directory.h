// The runtime directory: where a user's server and its clients meet.
//
//   control.sock  gRPC                      lock   held by the server for its life; holds its process id
//   fd.sock       proto/wire/fdsocket.h     start  held by whoever starts a server, so that only one does
//   server.log    what the server says
//
// All of a server's protection on this side is that the directory belongs to its user and is closed to others (0700);
// so both are checked by everyone who uses it, and a symbolic link in its place is refused.
#ifndef GUISE_SERVER_LAUNCH_RUNTIME_DIRECTORY_H_
#define GUISE_SERVER_LAUNCH_RUNTIME_DIRECTORY_H_

#include <string>

#include "absl/status/statusor.h"

namespace guise::server {

// A directory that passed the checks when it was opened. Immutable; thread-safe.
class RuntimeDirectory {
 public:
  // $GUISE_RUNTIME_DIR, else $XDG_RUNTIME_DIR/guise (where $XDG_RUNTIME_DIR is the caller's own: `su` leaves a
  // stranger's in place), else /run/guise for root, else /tmp/guise-UID. Reads the environment, touches nothing.
  static std::string DefaultPath();

  // Makes the directory's last component when it is missing, and checks owner and mode.
  // Errors: FAILED_PRECONDITION (owner, mode, not a directory), INVALID_ARGUMENT (path too long for a socket, or
  // relative), RESOURCE_EXHAUSTED (file system full), NOT_FOUND and others as the system's.
  static absl::StatusOr<RuntimeDirectory> Make(std::string path);

  // As Make, but a missing directory is NOT_FOUND: for commands that only talk to a server.
  static absl::StatusOr<RuntimeDirectory> Open(std::string path);

  const std::string& path() const { return path_; }
  std::string ControlSocket() const { return path_ + "/control.sock"; }
  std::string FdSocket() const { return path_ + "/fd.sock"; }
  std::string ServerLock() const { return path_ + "/lock"; }
  std::string StartLock() const { return path_ + "/start"; }
  std::string LogFile() const { return path_ + "/server.log"; }

 private:
  explicit RuntimeDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_RUNTIME_DIRECTORY_H_
