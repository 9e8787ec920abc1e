// The sockets that a server listens on, in its runtime directory, under the directory's lock.
//
// Why not gRPC's own `unix:` listener: it removes whatever lies at the path, so a second server silently takes the
// first one's place. Here the lock decides, and only its holder removes what a killed server has left behind.
#ifndef GUISE_SERVER_CONTROL_LISTENERS_H_
#define GUISE_SERVER_CONTROL_LISTENERS_H_

#include "absl/status/statusor.h"
#include "server/launch/file_lock.h"
#include "server/launch/runtime_directory.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

// Movable, not thread-safe. Removes its sockets and lets go of the lock on destruction, in this order.
class Listeners {
 public:
  // ALREADY_EXISTS: another server serves this directory; the message names its process id.
  static absl::StatusOr<Listeners> Open(const RuntimeDirectory& directory);

  Listeners(Listeners&&) = default;
  Listeners& operator=(Listeners&&) = delete;
  ~Listeners();

  // SOCK_STREAM, non-blocking.
  int control() const { return control_.get(); }
  // SOCK_SEQPACKET; the caller's from now on. Called once.
  OwnedFd TakeFdListener() { return std::move(fds_); }

  // Takes no more connections and removes the sockets, so that callers who come now start the next server; the lock
  // stays.
  void Close();

 private:
  Listeners(const RuntimeDirectory& directory, FileLock lock) : directory_(directory), lock_(std::move(lock)) {}

  RuntimeDirectory directory_;
  FileLock lock_;
  OwnedFd control_;
  OwnedFd fds_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CONTROL_LISTENERS_H_
