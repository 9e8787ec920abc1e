// Who calls: the peers of the control socket's connections, as the kernel told when they connected.
#ifndef GUISE_SERVER_CONTROL_CALLER_H_
#define GUISE_SERVER_CONTROL_CALLER_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace guise::server {

struct Caller {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// SO_PEERCRED of a connected unix socket.
absl::StatusOr<Caller> CallerOf(int socket);

// The callers of connections that were handed to gRPC, which names a peer "fd:N". Thread-safe. A number is noted anew
// at each accept, and is reused only after gRPC has closed the connection before.
class Callers {
 public:
  void Note(int fd, const Caller& caller);
  // `peer` is grpc::ServerContext::peer(). INTERNAL when it names no noted connection.
  absl::StatusOr<Caller> Find(const std::string& peer) const;

 private:
  mutable absl::Mutex mutex_;
  std::map<int, Caller> by_fd_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CONTROL_CALLER_H_
