#include "server/control/idle.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

namespace guise::server {

IdleWatch::IdleWatch(Reactor& reactor, const Sessions& sessions, absl::Duration patience, std::function<void()> expire)
    : reactor_(reactor), sessions_(sessions), patience_(patience), expire_(std::move(expire)) {
  reactor_.After(patience_, [this] { Look(); });
}

void IdleWatch::Look() {
  const absl::Time now = absl::Now();
  const absl::Time idle_since = sessions_.IdleSince();
  if (idle_since == absl::InfiniteFuture()) {
    reactor_.After(patience_, [this] { Look(); });  // the earliest that it can be over
    return;
  }
  const absl::Duration left = idle_since + patience_ - now;
  if (left <= absl::ZeroDuration()) {
    expire_();
    return;
  }
  reactor_.After(std::min(left, patience_), [this] { Look(); });
}

}  // namespace guise::server
