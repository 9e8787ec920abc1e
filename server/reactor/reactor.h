// Reactor: one thread that waits for fds, timers and errands of other threads: attach sockets, pidfds, session timers.
// On io_uring where it works, on epoll where it is refused (Docker's default seccomp profile); the choice is made by
// trying, at Create().
//
// Thread safety: every function but Run() may be called from any thread. Callbacks run on the thread inside Run(), one
// at a time, and may call everything but Run().
#ifndef GUISE_SERVER_REACTOR_REACTOR_H_
#define GUISE_SERVER_REACTOR_REACTOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace guise::server {

class Reactor {
 public:
  using Callback = std::function<void()>;
  using TimerId = uint64_t;

  struct Options {
    bool allow_io_uring = true;
  };

  // Errors: those of epoll_create1(2) and eventfd(2).
  static absl::StatusOr<std::unique_ptr<Reactor>> Create(const Options& options);
  // REQUIRES: Run() has returned or was never called. Callbacks that did not run are destroyed.
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Calls `ready` again and again while `fd` is readable, hung up or in error. The fd stays the caller's.
  // REQUIRES: fd is not watched.
  void Watch(int fd, Callback ready);
  // Call it before the fd is closed. On the reactor's thread: the callback is not called again, and the fd may be
  // closed at once. From another thread: both hold when errands posted after this have begun to run.
  void Unwatch(int fd);

  // Calls `due` once, after `delay`.
  TimerId After(absl::Duration delay, Callback due);
  // No effect on a timer that has fired; from another thread its callback may be running still.
  void Cancel(TimerId timer);

  // Calls `errand` soon, after those posted before.
  void Post(Callback errand);

  // Serves until Stop(). Called once.
  void Run();
  // Makes Run() return after the callback that runs now; also before Run() was called.
  void Stop();

  bool OnReactorThread() const;
  // "io_uring" or "epoll".
  std::string_view Kind() const;

 private:
  struct State;
  explicit Reactor(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_REACTOR_REACTOR_H_
