#include "server/guest/peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace guise::server {
namespace {

constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, Linux 6.5; headers may be older

}  // namespace

Peer::Peer(int socket, pid_t pid) : pid_(pid) {
  int pidfd = -1;
  socklen_t size = sizeof(pidfd);
  if (pid <= 0) return;
  // Before, the pid may have been reused since the peer connected: by a process that is not in a sandbox, perhaps.
  if (getsockopt(socket, SOL_SOCKET, kPeerPidfd, &pidfd, &size) != 0) {
    pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  }
  pidfd_ = OwnedFd(pidfd);
}

bool Peer::Lives() const {
  pollfd ended = {.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  return pidfd_ && poll(&ended, 1, 0) == 0;
}

}  // namespace guise::server
