// Poller: waits for many fds at once; what is different between io_uring and epoll, and no more.
//
// One-shot: an armed fd is reported once and has to be armed again. Tokens, not fds, name what is armed: an fd's number
// may live on in another file.
//
// Thread safety: none; the reactor's thread alone.
#ifndef GUISE_SERVER_REACTOR_POLLER_H_
#define GUISE_SERVER_REACTOR_POLLER_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace guise::server {

class Poller {
 public:
  virtual ~Poller() = default;

  // Reports `token` once when `fd` is readable, hung up or in error. REQUIRES: token is neither 0 nor armed.
  virtual void Arm(int fd, uint64_t token) = 0;
  // Forgets the token. A report that is on its way may still come.
  virtual void Forget(int fd, uint64_t token) = 0;
  // Appends reports; returns when there is one, or after `timeout` (which may be infinite), or without a cause.
  virtual void Wait(absl::Duration timeout, std::vector<uint64_t>& tokens) = 0;

  virtual std::string_view Kind() const = 0;
};

// FAILED_PRECONDITION where io_uring is absent, refused or too old (5.11).
absl::StatusOr<std::unique_ptr<Poller>> MakeUringPoller();
absl::StatusOr<std::unique_ptr<Poller>> MakeEpollPoller();

}  // namespace guise::server

#endif  // GUISE_SERVER_REACTOR_POLLER_H_
