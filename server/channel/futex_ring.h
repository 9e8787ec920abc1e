// FutexRing: waits for many futex words at once, in one io_uring (IORING_OP_FUTEX_WAIT, Linux 6.7).
//
// Thread safety: none; made and used by one thread.
#ifndef GUISE_SERVER_CHANNEL_FUTEX_RING_H_
#define GUISE_SERVER_CHANNEL_FUTEX_RING_H_

#include <liburing.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace guise::server {

class FutexRing {
 public:
  FutexRing() = default;
  ~FutexRing();
  FutexRing(const FutexRing&) = delete;
  FutexRing& operator=(const FutexRing&) = delete;

  // FAILED_PRECONDITION where io_uring is absent or refused, or has no futexes: found by trying.
  absl::Status Open();

  // Reports `token` once: when the word is woken (by FutexWakeAll: the word is shared), at once when it is not `value`
  // any more, or when cancelled. REQUIRES: token is not 0 and not waiting. The word stays mapped until it is reported.
  void Wait(const uint32_t* word, uint32_t value, uint64_t token);
  // Makes the token be reported soon.
  void Cancel(uint64_t token);
  // Appends reported tokens; with `block`, returns when there is one (or without a cause).
  void Collect(bool block, std::vector<uint64_t>& tokens);

 private:
  io_uring_sqe* NextRequest();

  io_uring ring_ = {};
  bool open_ = false;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CHANNEL_FUTEX_RING_H_
