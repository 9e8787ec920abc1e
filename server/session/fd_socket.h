// The fd socket (proto/wire/fdsocket.h): how launchers get a session's memories, and how the server learns that a
// keeper has gone: its connection ends.
//
// Peers must have the server's uid, be root, or, of a root server, own the session; guests of any session are refused
// with -EPERM. A connection makes one request. kAttach: -EBUSY while the session has a keeper; -ESRCH without such a
// session. The reply to kAttach carries the server's pidfd as its fifth fd when the kernel has pidfds. A kGuest
// connection keeps the session alive until it is closed, so that no session ends between the reply and the first guest.
// When the session ends, the server closes its connections.
#ifndef GUISE_SERVER_SESSION_FD_SOCKET_H_
#define GUISE_SERVER_SESSION_FD_SOCKET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

class Reactor;
class Sessions;

class FdSocket {
 public:
  // Takes over `listener`, a listening SOCK_SEQPACKET unix socket. REQUIRES: `reactor` and `sessions` outlive the
  // result.
  static absl::StatusOr<std::unique_ptr<FdSocket>> Serve(Reactor& reactor, Sessions& sessions, OwnedFd listener);
  // Closes the listener and every connection. REQUIRES: on the reactor's thread, or the reactor has stopped for good.
  ~FdSocket();
  FdSocket(const FdSocket&) = delete;
  FdSocket& operator=(const FdSocket&) = delete;

 private:
  struct State;
  explicit FdSocket(std::shared_ptr<State> state);
  const std::shared_ptr<State> state_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SESSION_FD_SOCKET_H_
