#include "server/guest/peer.h"

#include "server/reactor/pidfd.h"

namespace guise::server {

Peer::Peer(int socket, pid_t pid) : pid_(pid) {
  if (pid > 0) pidfd_ = PidfdOfPeer(socket, pid);
}

bool Peer::Lives() const { return pidfd_ && !HasEnded(pidfd_); }

}  // namespace guise::server
