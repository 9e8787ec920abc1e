// poll(2) and select(2) by ppoll(2) and pselect6(2). ABI: fs/select.c.
#include <time.h>

#include <cerrno>
#include <cstring>

#include "personalities/legacy/legacy.h"

namespace guise::personalities {

using api::Below;
using api::Bytes;
using api::Call;
using api::Nr;
using api::Room;
using api::SysResult;
using api::SysTask;

namespace {

constexpr int kSetSize = 8;
constexpr long kMicros = 1'000'000;

struct OldTime {
  int64_t seconds;
  int64_t micros;
};

// ABI: poll_select_set_timeout(): micros may be more than a second's.
bool ToTimespec(const Bytes& bytes, timespec* time) {
  OldTime old;
  std::memcpy(&old, bytes.data.data(), sizeof(old));
  if (__builtin_add_overflow(old.seconds, old.micros / kMicros, &time->tv_sec)) return false;
  time->tv_nsec = old.micros % kMicros * 1000;
  return time->tv_sec >= 0 && time->tv_nsec >= 0;
}

// ABI: poll_select_finish(): where it cannot be written, as in a constant, nobody is told.
void CopyOutLeft(Call& call, Room<timespec> room) {
  const timespec left = call.Read(room);
  call.CopyOutAlways(4, OldTime{left.tv_sec, left.tv_nsec / 1000});
}

}  // namespace

SysTask Legacy::Poll(Call& call, Below below) const {
  const auto timeout = call.Arg<int>(2);
  if (timeout < 0) co_return below.Tail(call.As(Nr::ppoll, call.Pass(0), call.Pass(1), 0, 0, kSetSize));
  // The kernel writes down what is left, to begin again with after a stop.
  const Room<timespec> time = call.MakeRoom(timespec{timeout / 1000, timeout % 1000 * kMicros});
  co_return below.Tail(call.As(Nr::ppoll, call.Pass(0), call.Pass(1), time, 0, kSetSize));
}

SysTask Legacy::Select(Call& call, Below below) const {
  if (call.Arg<uint64_t>(4) == 0) {
    co_return below.Tail(call.As(Nr::pselect6, call.Pass(0), call.Pass(1), call.Pass(2), call.Pass(3), 0, 0));
  }
  const auto bytes = call.Arg<Bytes>(4);
  if (bytes.data.size() < sizeof(OldTime)) co_return SysResult::Error(EFAULT);
  timespec time;
  if (!ToTimespec(bytes, &time)) co_return SysResult::Error(EINVAL);
  const Room<timespec> room = call.MakeRoom(time);
  const Call modern = call.As(Nr::pselect6, call.Pass(0), call.Pass(1), call.Pass(2), call.Pass(3), room, 0);
  const SysResult result = co_await call.Do(modern);
  CopyOutLeft(call, room);
  co_return result;
}

}  // namespace guise::personalities
