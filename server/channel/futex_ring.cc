#include "server/channel/futex_ring.h"

#include <cerrno>
#include <cstring>

namespace guise::server {
namespace {

constexpr unsigned kEntries = 128;
constexpr uint64_t kNoToken = 0;

// ABI: include/uapi/linux/io_uring.h of Linux 6.7; liburing 2.3 knows no futexes.
constexpr uint8_t kOpFutexWait = 51;
// ABI: include/uapi/linux/futex.h, FUTEX2_*.
constexpr int kFutexSize32 = 0x02;
constexpr uint64_t kMatchAny = 0xffffffff;

}  // namespace

FutexRing::~FutexRing() {
  if (open_) io_uring_queue_exit(&ring_);
}

absl::Status FutexRing::Open() {
  // One thread submits and reaps: the kernel then delivers wakes when it enters, without an interrupt.
  int error = io_uring_queue_init(kEntries, &ring_, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  if (error == -EINVAL) error = io_uring_queue_init(kEntries, &ring_, 0);
  if (error != 0) return absl::FailedPreconditionError("io_uring is absent or refused");
  open_ = true;

  // Whether there are futexes: a word that has another value reports at once with EAGAIN, an unknown request EINVAL.
  const uint32_t word = 0;
  Wait(&word, 1, 1);
  io_uring_submit_and_wait(&ring_, 1);
  io_uring_cqe* cqe = nullptr;
  if (io_uring_peek_cqe(&ring_, &cqe) != 0) return absl::FailedPreconditionError("io_uring does not answer");
  const int result = cqe->res;
  io_uring_cqe_seen(&ring_, cqe);
  if (result != -EAGAIN) return absl::FailedPreconditionError("io_uring is older than 6.7 and has no futexes");
  return absl::OkStatus();
}

void FutexRing::Wait(const uint32_t* word, uint32_t value, uint64_t token) {
  io_uring_sqe* sqe = NextRequest();
  memset(sqe, 0, sizeof(*sqe));
  sqe->opcode = kOpFutexWait;
  sqe->fd = kFutexSize32;
  sqe->addr = reinterpret_cast<uint64_t>(word);
  sqe->addr2 = value;
  sqe->addr3 = kMatchAny;
  sqe->user_data = token;
}

void FutexRing::Cancel(uint64_t token) {
  io_uring_sqe* sqe = NextRequest();
  io_uring_prep_cancel64(sqe, token, 0);
  sqe->user_data = kNoToken;
}

void FutexRing::Collect(bool block, std::vector<uint64_t>& tokens) {
  if (block) {
    io_uring_submit_and_wait(&ring_, 1);
  } else {
    // Not a wait for 0: under DEFER_TASKRUN that would deliver nothing.
    io_uring_submit_and_get_events(&ring_);
  }
  unsigned head = 0;
  unsigned seen = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    ++seen;
    if (cqe->user_data != kNoToken) tokens.push_back(cqe->user_data);
  }
  io_uring_cq_advance(&ring_, seen);
}

io_uring_sqe* FutexRing::NextRequest() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (sqe == nullptr) {
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

}  // namespace guise::server
