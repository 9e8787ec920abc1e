// Processes held by descriptors: a pid alone may be another process's by the time that it is looked at.
#ifndef GUISE_SERVER_REACTOR_PIDFD_H_
#define GUISE_SERVER_REACTOR_PIDFD_H_

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "server/reactor/owned_fd.h"

namespace guise::server {

// pidfd_open(2). None, and errno.
inline OwnedFd OpenPidfd(pid_t pid) { return OwnedFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

// Of the process that has connected the unix socket; `pid`: of SO_PEERCRED. None: it has gone, or is where its pid
// means nothing here. Before Linux 6.5 it may be of another process that has had the pid since.
inline OwnedFd PidfdOfPeer(int socket, pid_t pid) {
  constexpr int kPeerPidfd = 77;  // ABI: SO_PEERPIDFD; headers may be older
  int pidfd = -1;
  socklen_t size = sizeof(pidfd);
  if (getsockopt(socket, SOL_SOCKET, kPeerPidfd, &pidfd, &size) == 0) return OwnedFd(pidfd);
  return pid > 0 ? OpenPidfd(pid) : OwnedFd();
}

// What /proc says of a pid is the process's if it has not ended afterwards. False of none.
inline bool HasEnded(const OwnedFd& pidfd) {
  pollfd ended = {.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return poll(&ended, 1, 0) != 0;
}

}  // namespace guise::server

#endif  // GUISE_SERVER_REACTOR_PIDFD_H_
