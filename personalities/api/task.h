// Coroutines of handlers. SysTask is what a handler is; Task<T> is a part of one that several handlers share.
//
//   Task<SysResultOr<FileStatus>> StatusOf(Call& call, Argument directory, Argument path, int flags);
//   SysTask Fakeroot::Chown(Call& call, Below below) const {
//     const SysResultOr<FileStatus> file = co_await StatusOf(call, directory, path, flags);
//
// Rules (g++ 12 miscompiles others; the coroutine lint holds them): one co_await a statement, as the whole initialiser
// of a named variable; arguments of an awaited call are named objects or scalars; no alignas above 16.
//
// A coroutine takes Call& among its first parameters: its frame lies in the arena of that call's slot. Frames that do
// not fit are on the heap, and counted.
//
// Nothing here resumes a coroutine: it says to the port what comes next, and the port's loop resumes it. So the stack
// stays flat whatever the compiler makes of tail calls.
#ifndef GUISE_PERSONALITIES_API_TASK_H_
#define GUISE_PERSONALITIES_API_TASK_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include "personalities/api/call.h"
#include "personalities/api/port.h"
#include "personalities/api/result.h"

namespace guise::api {

namespace internal {

// The port of the first parameter that is a Call&.
template <typename... Rest>
Port& PortAmong(Call& call, Rest&...) {
  return call.port();
}
template <typename First, typename... Rest>
Port& PortAmong(First&, Rest&... rest) {
  return PortAmong(rest...);
}

// Frames in the arena of the call's slot. Inlined always: g++ 12 without optimisation takes the two operators, a
// template and none, for a mismatch.
struct FramePromise {
  template <typename... Args>
  [[gnu::always_inline]] static void* operator new(size_t size, Args&... args) {
    return PortAmong(args...).frames().Allocate(size);
  }
  // Found by the frame's own head: what was passed to operator new may be gone.
  // NOLINTNEXTLINE(misc-new-delete-overloads): its new is the template
  [[gnu::always_inline]] static void operator delete(void* frame) { FrameArena::Free(frame); }

  std::suspend_always initial_suspend() const noexcept { return {}; }
  // Handlers do not throw.
  void unhandled_exception() const noexcept { std::terminate(); }
};

}  // namespace internal

// A part of a handler. Starts when awaited; owns its frame.
template <typename T>
class [[nodiscard]] Task {
 public:
  struct promise_type : internal::FramePromise {
    template <typename... Args>
    explicit promise_type(Args&... args) : port(&internal::PortAmong(args...)) {}
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    void return_value(const T& result) { value.emplace(result); }

    struct BackToAwaiter {
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> self) const noexcept {
        self.promise().port->Continue(self.promise().awaiter);
      }
      void await_resume() const noexcept {}
    };
    BackToAwaiter final_suspend() const noexcept { return {}; }

    Port* port;
    std::coroutine_handle<> awaiter;
    std::optional<T> value;
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiter) const noexcept {
    handle_.promise().awaiter = awaiter;
    handle_.promise().port->Continue(handle_);
  }
  T await_resume() const { return *handle_.promise().value; }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

// A handler: one call, answered by a result or by what the layer beneath answers. The conversation owns its frame.
class [[nodiscard]] SysTask {
 public:
  struct promise_type : internal::FramePromise {
    SysTask get_return_object() { return SysTask(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_value(SysResult answer) { result = answer; }
    void return_value(const Tail& rest) { tail.emplace(rest); }

    SysResult result;
    std::optional<Tail> tail;
  };
  using Handle = std::coroutine_handle<promise_type>;

  SysTask(SysTask&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  SysTask& operator=(SysTask&&) = delete;
  ~SysTask() {
    if (handle_) handle_.destroy();
  }
  // Passes the frame to the caller, who destroys it.
  Handle Release() { return std::exchange(handle_, nullptr); }

 private:
  explicit SysTask(Handle handle) : handle_(handle) {}
  Handle handle_;
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_TASK_H_
