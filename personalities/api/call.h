// Call: one syscall of a guest, as a handler sees it. Everything that a handler knows of the world, it asks of its
// Call.
//
//   SysTask Example::Open(Call& call, Below below) const {
//     const int flags = call.Arg<int>(2);
//     if ((flags & O_TRUNC) != 0) co_return SysResult::Error(EROFS);      // a veto
//     const SysResult fd = co_await below(call);                          // the layer beneath, or the host
//     if (!fd.ok()) co_return fd;
//     const Room<struct statx> room = call.MakeRoom<struct statx>();
//     const Argument empty = call.Put("");
//     const SysResult stat = co_await call.Run(Nr::statx, fd.value(), empty, AT_EMPTY_PATH, STATX_BASIC_STATS, room);
//     ...
//     co_return fd;                                                       // or: co_return below.Tail(call);
//   }
//
// Native calls run on the guest's own thread, with its credentials, directory, descriptors and mounts.
// Between awaits a handler is deterministic: no time, no randomness, no globals. It may be run again, from its start,
// by a successor of the server, with the same results of the same native calls.
//
// Thread safety: none, none needed: handlers of a session run one at a time, interleaving at awaits only.
#ifndef GUISE_PERSONALITIES_API_CALL_H_
#define GUISE_PERSONALITIES_API_CALL_H_

#include <array>
#include <coroutine>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>

#include "personalities/api/argument.h"
#include "personalities/api/port.h"
#include "personalities/api/result.h"
#include "proto/syscall/table.h"

namespace guise::api {

using syscall::Nr;

// Awaited: the result of a native call on the guest's thread.
class [[nodiscard]] RunAwait;

class Call {
 public:
  // REQUIRES: `port` outlives this.
  Call(Port& port, Nr nr) : port_(&port), nr_(nr) {}

  Nr nr() const { return nr_; }

  // Argument `i` of the call as T: an integer or enum (of the width that the kernel looks at), GuestFd, GuestPtr<U>,
  // Path or Bytes.
  template <typename T>
  T Arg(size_t i) const;
  // A user or group id; nullopt for -1, which keeps what is.
  std::optional<uint32_t> OptionalId(size_t i) const;

  // The argument as the guest passed it, for a native call.
  const Argument& Pass(size_t i) const { return args_[i]; }
  // The server's copy of a Path or Str argument, for native calls: they all see the same bytes, whatever the guest does
  // to its memory meanwhile. Without a copy it is Pass(i). Takes room: forward once, use often.
  Argument Forward(size_t i);
  // Bytes of ours for a native call to read; a NUL is put behind them.
  Argument Put(std::string_view bytes);
  // Room for what a native call writes.
  template <typename T>
  Room<T> MakeRoom() {
    return Room<T>(port_->ReserveInbound(sizeof(T)));
  }
  // Likewise, for a call that reads `value` there before it writes.
  template <typename T>
  Room<T> MakeRoom(const T& value) {
    const Argument first = Put({reinterpret_cast<const char*>(&value), sizeof(value)});
    if (first.space == Argument::Space::kNoRoom) return Room<T>();
    return Room<T>(port_->ReserveInbound(sizeof(T)), static_cast<uint32_t>(first.value));
  }
  // What was written there. REQUIRES: a Run with `room` has been awaited.
  template <typename T>
  T Read(Room<T> room) const {
    T value;
    port_->ReadInbound(room.offset(), &value, sizeof(value));
    return value;
  }

  // The same call with other arguments, or another call. What comes from Pass() or Forward() keeps its copy and its way
  // back, for the layers beneath.
  Call With(size_t i, Argument value) const;
  template <typename... Args>
  Call As(Nr nr, Args... args) const {
    static_assert(sizeof...(Args) <= syscall::kMaxArgs);
    Call other(*port_, nr);
    size_t i = 0;
    ((other.args_[i++] = Argument(args)), ...);
    return other;
  }

  // co_await call.Run(nr, args...): a native call. Its result is the kernel's.
  template <typename... Args>
  RunAwait Run(Nr nr, Args... args);
  // co_await call.Do(native): likewise, a call made by As() or With().
  RunAwait Do(const Call& native);

  // On success of the call, `bytes` go to where its argument `i` points; a bad address there makes the call fail with
  // EFAULT. At most five a call.
  void CopyOut(size_t i, std::string_view bytes) { port_->CopyOut(args_[i].origin, bytes); }
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void CopyOut(size_t i, const T& value) { CopyOut(i, {reinterpret_cast<const char*>(&value), sizeof(value)}); }

  // As CopyOut, also when the call fails; a bad address is no error, and then there is none for any copy of this call.
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void CopyOutAlways(size_t i, const T& value) {
    port_->CopyOut(args_[i].origin, {reinterpret_cast<const char*>(&value), sizeof(value)});
    port_->CopyOutAlways();
  }

  // --- State of the session, as it was before this call's own commits.

  // Credentials of the calling process. The reference is good until the next await.
  const Identity& Credentials() { return port_->Credentials(); }
  // Who guests are shown as the owner of a file that natively is `native`'s.
  Owner ShownOwner(const Inode& inode, Owner native) { return port_->ShownOwner(inode, native); }
  // The device node that guests are shown in the place of a file; nullopt: it is what it natively is.
  std::optional<Device> ShownDevice(const Inode& inode) { return port_->ShownDevice(inode); }
  // The extended attributes of a file that the session keeps. Good until the call ends.
  KeptAttributes AttributesOf(const Inode& inode) { return port_->AttributesOf(inode); }
  // Whether there may be a set-group-ID directory that guests are shown with another group than its own (SetOwner).
  bool GroupsAreInherited() { return port_->GroupsAreInherited(); }
  // What calls of the session have borrowed for as long as they last; see loans.h.
  Loans& loans() { return port_->loans(); }
  // Native calls that this call may still make: those that give something back must be among them.
  uint32_t RunsLeft() const { return port_->RunsLeft(); }
  // Takes effect, with all other commits of the call, when the call returns without an error; a call that fails changes
  // nothing. When there is no space left for it, the call fails with ENOSPC.
  void Commit(const SetOwner& change) { port_->Commit(change); }
  void Commit(const SetDevice& change) { port_->Commit(change); }
  void Commit(const SetAttribute& change) { port_->Commit(change); }
  void Commit(const SetIdentity& change) { port_->Commit(change); }

  // --- For the port.
  Port& port() const { return *port_; }
  void Set(size_t i, const Argument& argument) { args_[i] = argument; }

 private:
  Port* port_;
  Nr nr_;
  std::array<Argument, syscall::kMaxArgs> args_;
};

class [[nodiscard]] RunAwait {
 public:
  explicit RunAwait(const Call& native) : native_(native) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const { native_.port().Run(native_, waiter); }
  SysResult await_resume() const noexcept { return native_.port().TakeResult(); }

 private:
  Call native_;
};

// A handler's last word: its result is what `level` and those beneath it answer to `call`.
struct Tail {
  Call call;
  uint32_t level;
};

// Awaited: the answer of the layer beneath. `call` must live until then.
class [[nodiscard]] BelowAwait {
 public:
  BelowAwait(const Call& call, uint32_t level) : call_(&call), level_(level) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const { call_->port().Below(*call_, level_, waiter); }
  SysResult await_resume() const noexcept { return call_->port().TakeResult(); }

 private:
  const Call* call_;
  uint32_t level_;
};

// The layers beneath a handler's own; the lowest is the host, which does the call natively on the guest's thread.
class Below {
 public:
  explicit Below(uint32_t level) : level_(level) {}

  // co_await below(call): what they answer.
  BelowAwait operator()(const Call& call) const { return {call, level_}; }
  // co_return below.Tail(call): what they answer is the handler's result. Where the host answers, the call ends with
  // one round trip. With commits or copy-outs pending it takes two, so that they follow the result.
  api::Tail Tail(const Call& call) const { return {call, level_}; }

 private:
  uint32_t level_;
};

// --- Implementation.

template <typename T>
T Call::Arg(size_t i) const {
  const Argument& argument = args_[i];
  if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    return static_cast<T>(argument.value);
  } else if constexpr (std::is_same_v<T, GuestFd>) {
    return GuestFd(static_cast<int>(argument.value));
  } else if constexpr (std::is_same_v<T, Path>) {
    return {port_->CopyOf(argument.origin)};
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return {port_->CopyOf(argument.origin)};
  } else {
    return T(argument.value);  // GuestPtr
  }
}

template <typename... Args>
RunAwait Call::Run(Nr nr, Args... args) {
  return RunAwait(As(nr, args...));
}

inline RunAwait Call::Do(const Call& native) { return RunAwait(native); }

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_CALL_H_
