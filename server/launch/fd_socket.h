// The client's side of the fd socket (proto/wire/fdsocket.h).
#ifndef GUISE_SERVER_LAUNCH_FD_SOCKET_H_
#define GUISE_SERVER_LAUNCH_FD_SOCKET_H_

#include <stdint.h>
#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "proto/wire/fdsocket.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

// What a keeper or launcher holds of a session. All fds are close-on-exec.
struct Attachment {
  OwnedFd connection;    // its end tells each side that the other is gone
  OwnedFd request;       // memory
  OwnedFd reply;         // memory, opened for reading: the one that guests get
  OwnedFd reply_keeper;  // kAttach: the same memory, writable
  OwnedFd store;         // kAttach
  OwnedFd server;        // pidfd; invalid where the kernel refuses one, then `connection` is all there is to watch
  pid_t server_pid = 0;
};

// Asks the server at `path` for the memories of `session` (the number: its id read as hexadecimal). Blocks until the
// server answers. Errors: UNAVAILABLE (no server), NOT_FOUND (no such session), PERMISSION_DENIED (caller refused),
// INTERNAL (an answer that is not understood).
absl::StatusOr<Attachment> AttachToSession(const std::string& path, wire::FdOp op, uint32_t session);

// Connects to a unix socket of `type` (SOCK_STREAM, SOCK_SEQPACKET). UNAVAILABLE when nobody listens there.
absl::StatusOr<OwnedFd> ConnectUnix(const std::string& path, int type);

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_FD_SOCKET_H_
