#include "server/control/caller.h"

#include <errno.h>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/launch/errno_status.h"

namespace guise::server {

absl::StatusOr<Caller> CallerOf(int socket) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoStatus(errno, "cannot tell who calls");
  }
  return Caller{peer.pid, peer.uid, peer.gid};
}

void Callers::Note(int fd, const Caller& caller) {
  absl::MutexLock lock(&mutex_);
  by_fd_[fd] = caller;
}

absl::StatusOr<Caller> Callers::Find(const std::string& peer) const {
  absl::string_view number = peer;
  int fd = -1;
  if (absl::ConsumePrefix(&number, "fd:") && absl::SimpleAtoi(number, &fd)) {
    absl::MutexLock lock(&mutex_);
    if (const auto found = by_fd_.find(fd); found != by_fd_.end()) return found->second;
  }
  return absl::InternalError(absl::StrCat("the call came over a connection that was not accepted here: ", peer));
}

}  // namespace guise::server
