#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "server/reactor/owned_fd.h"
#include "server/reactor/poller.h"

namespace guise::server {
namespace {

class EpollPoller : public Poller {
 public:
  explicit EpollPoller(OwnedFd epoll) : epoll_(std::move(epoll)) {}

  void Arm(int fd, uint64_t token) override {
    epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data = {.u64 = token}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0) return;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return;
    // Such as a regular file (EPERM), which is always ready, or a closed fd: the owner finds out by reading.
    ready_.push_back(token);
  }

  void Forget(int fd, uint64_t token) override {
    // Fails harmlessly when the fd has been closed: the kernel has then forgotten it by itself.
    epoll_event unused = {};
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &unused);
    ready_.erase(std::remove(ready_.begin(), ready_.end(), token), ready_.end());
  }

  void Wait(absl::Duration timeout, std::vector<uint64_t>& tokens) override {
    tokens.insert(tokens.end(), ready_.begin(), ready_.end());
    if (!ready_.empty()) timeout = absl::ZeroDuration();
    ready_.clear();
    epoll_event events[64];
    // Rounded up: a timer must not be woken for before it is due.
    const int64_t millis = timeout == absl::InfiniteDuration()
                               ? -1
                               : absl::ToInt64Milliseconds(absl::Ceil(timeout, absl::Milliseconds(1)));
    const int n = epoll_wait(epoll_.get(), events, 64, static_cast<int>(std::min<int64_t>(millis, 1 << 30)));
    for (int i = 0; i < n; ++i) tokens.push_back(events[i].data.u64);
  }

  std::string_view Kind() const override { return "epoll"; }

 private:
  const OwnedFd epoll_;
  std::vector<uint64_t> ready_;  // of fds that epoll does not take
};

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> MakeEpollPoller() {
  OwnedFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return absl::ErrnoToStatus(errno, "cannot make an epoll instance for the server's reactor");
  return std::make_unique<EpollPoller>(std::move(epoll));
}

}  // namespace guise::server
