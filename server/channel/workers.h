// Workers: the threads that wait for doorbells and sweep what is posted (proto/wire/doorbell.h has the protocol).
//
// Two ways, chosen at Start() by trying:
//   io_uring futex  one thread pinned to each CPU that this process may use, for all sessions; it sleeps in its own
//   ring
//                   on one IORING_OP_FUTEX_WAIT per session and bell (Linux 6.7), so that a wake costs the same however
//                   many sessions there are
//   futex           one thread per session, which waits for the session's only bell by futex(2)
//
// A session that rings without end delays nobody else for longer than one sweep: who has more to do queues up again.
//
// Thread safety: every function may be called from any thread, but not from within Sweep().
#ifndef GUISE_SERVER_CHANNEL_WORKERS_H_
#define GUISE_SERVER_CHANNEL_WORKERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "proto/wire/cell.h"

namespace guise::server {

// What workers sweep: a session's posts. Called by many workers at the same time.
class Sweepable {
 public:
  virtual ~Sweepable() = default;
  // Guests' word of a bell, and the one that tells them that somebody sleeps on it.
  virtual const wire::Cell<uint32_t>& Rung(uint32_t bell) = 0;
  virtual wire::Cell<uint32_t>& Parked(uint32_t bell) = 0;
  // Serves what is posted, for a bounded time. True: call again, there was work and may be more. False: there was none,
  // or another thread is about to do it.
  virtual bool Sweep() = 0;
};

class Workers {
 public:
  struct Options {
    bool allow_io_uring = true;
  };
  static absl::StatusOr<std::unique_ptr<Workers>> Start(const Options& options);
  // Ends the threads; everything added is let go.
  virtual ~Workers() = default;

  // To publish as Published::bells_in_use; 1 to wire::kBells, the same for all.
  virtual uint32_t BellsInUse() const = 0;
  // Begins to wait for the bells of `what`.
  virtual void Add(std::shared_ptr<Sweepable> what) = 0;
  // Ends it. When it has returned, the last Sweep() may be running still; the references go soon after.
  virtual void Remove(const Sweepable& what) = 0;
  // Threads there are.
  virtual size_t Count() const = 0;
  // "io_uring futex" or "futex".
  virtual std::string_view Waiting() const = 0;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CHANNEL_WORKERS_H_
