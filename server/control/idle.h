// The end of a server that nobody needs.
#ifndef GUISE_SERVER_CONTROL_IDLE_H_
#define GUISE_SERVER_CONTROL_IDLE_H_

#include <functional>

#include "absl/time/time.h"
#include "server/reactor/reactor.h"
#include "server/session/sessions.h"

namespace guise::server {

// Calls `expire` once on the reactor's thread, when no session has lived for `patience`.
// REQUIRES: the references outlive the reactor's Run().
class IdleWatch {
 public:
  IdleWatch(Reactor& reactor, const Sessions& sessions, absl::Duration patience, std::function<void()> expire);

 private:
  void Look();

  Reactor& reactor_;
  const Sessions& sessions_;
  const absl::Duration patience_;
  const std::function<void()> expire_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CONTROL_IDLE_H_
