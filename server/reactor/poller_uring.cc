#include <liburing.h>
#include <poll.h>

#include <cerrno>

#include "server/reactor/poller.h"

namespace guise::server {
namespace {

constexpr unsigned kEntries = 64;
// Completions of Forget's own requests.
constexpr uint64_t kNoToken = 0;

class UringPoller : public Poller {
 public:
  UringPoller() = default;
  ~UringPoller() override {
    if (open_) io_uring_queue_exit(&ring_);
  }

  absl::Status Open() {
    const int error = io_uring_queue_init(kEntries, &ring_, IORING_SETUP_CLAMP);
    if (error != 0) return absl::ErrnoToStatus(-error, "io_uring is refused or absent");
    open_ = true;
    // Without it a wait with a timeout needs a request of its own.
    if ((ring_.features & IORING_FEAT_EXT_ARG) == 0)
      return absl::FailedPreconditionError("io_uring is older than 5.11");
    return absl::OkStatus();
  }

  void Arm(int fd, uint64_t token) override {
    io_uring_sqe* sqe = NextRequest();
    io_uring_prep_poll_add(sqe, fd, POLLIN | POLLRDHUP);
    io_uring_sqe_set_data64(sqe, token);
  }

  void Forget(int, uint64_t token) override {
    io_uring_sqe* sqe = NextRequest();
    io_uring_prep_poll_remove(sqe, token);
    io_uring_sqe_set_data64(sqe, kNoToken);
    // At once, so that the file is let go when its owner closes it.
    io_uring_submit(&ring_);
  }

  void Wait(absl::Duration timeout, std::vector<uint64_t>& tokens) override {
    io_uring_cqe* first = nullptr;
    if (timeout == absl::InfiniteDuration()) {
      io_uring_submit_and_wait(&ring_, 1);
    } else {
      const timespec at = absl::ToTimespec(timeout);
      __kernel_timespec kernel = {.tv_sec = at.tv_sec, .tv_nsec = at.tv_nsec};
      io_uring_submit_and_wait_timeout(&ring_, &first, 1, &kernel, nullptr);
    }
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++seen;
      const uint64_t token = io_uring_cqe_get_data64(cqe);
      // A poll that failed (such as of a closed fd) counts as readiness: the owner finds out by reading.
      if (token != kNoToken && cqe->res != -ECANCELED) tokens.push_back(token);
    }
    io_uring_cq_advance(&ring_, seen);
  }

  std::string_view Kind() const override { return "io_uring"; }

 private:
  io_uring_sqe* NextRequest() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {
      io_uring_submit(&ring_);
      sqe = io_uring_get_sqe(&ring_);
    }
    return sqe;
  }

  io_uring ring_ = {};
  bool open_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> MakeUringPoller() {
  auto poller = std::make_unique<UringPoller>();
  if (const absl::Status status = poller->Open(); !status.ok()) return status;
  return poller;
}

}  // namespace guise::server
