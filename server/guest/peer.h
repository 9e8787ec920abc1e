// Who is at the other end of a unix socket, for as long as it lives: a pid alone may be another process's by the time
// that it is looked at, and a process may connect, leave the socket to its children, and go.
#ifndef GUISE_SERVER_GUEST_PEER_H_
#define GUISE_SERVER_GUEST_PEER_H_

#include <sys/types.h>

#include "server/reactor/owned_fd.h"

namespace guise::server {

class Peer {
 public:
  Peer() = default;
  // `pid`: of SO_PEERCRED.
  Peer(int socket, pid_t pid);

  pid_t pid() const { return pid_; }
  // Whether the process that connected has not ended. What /proc says of pid() between two of these is said of it.
  bool Lives() const;

 private:
  pid_t pid_ = 0;
  OwnedFd pidfd_;  // none: it has gone, or is where its pid means nothing here
};

}  // namespace guise::server

#endif  // GUISE_SERVER_GUEST_PEER_H_
