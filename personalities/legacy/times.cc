// Calls whose times are in an older unit than those of the call that replaces them.
#include <fcntl.h>
#include <sys/time.h>
#include <time.h>
#include <utime.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "personalities/legacy/legacy.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Bytes;
using api::Call;
using api::Nr;
using api::Room;
using api::SysResult;
using api::SysTask;

namespace {

constexpr long kMicros = 1'000'000;

using FileTimes = std::array<timespec, 2>;

Argument PutTimes(Call& call, const FileTimes& times) {
  return call.Put({reinterpret_cast<const char*>(times.data()), sizeof(times)});
}

// utimensat(directory, path, times), with the times that argument `i` points to.
SysTask SetTimes(Call& call, Below below, Argument directory, size_t path, size_t i) {
  const Argument forwarded = call.Forward(path);
  if (call.Arg<uint64_t>(i) == 0) co_return below.Tail(call.As(Nr::utimensat, directory, forwarded, 0, 0));
  std::array<timeval, 2> old;
  const auto bytes = call.Arg<Bytes>(i);
  if (bytes.data.size() < sizeof(old)) co_return SysResult::Error(EFAULT);
  std::memcpy(old.data(), bytes.data.data(), sizeof(old));
  FileTimes times;
  for (size_t n = 0; n < times.size(); ++n) {
    // ABI: fs/utimes.c, do_futimesat().
    if (old[n].tv_usec < 0 || old[n].tv_usec >= kMicros) co_return SysResult::Error(EINVAL);
    times[n] = {old[n].tv_sec, old[n].tv_usec * 1000};
  }
  co_return below.Tail(call.As(Nr::utimensat, directory, forwarded, PutTimes(call, times), 0));
}

// ABI: kernel/time/itimer.c, alarm_setitimer(): rounded, but never to nothing.
uint32_t SecondsLeft(const itimerval& timer) {
  const bool up = (timer.it_value.tv_sec == 0 && timer.it_value.tv_usec != 0) || timer.it_value.tv_usec >= kMicros / 2;
  return static_cast<uint32_t>(timer.it_value.tv_sec + (up ? 1 : 0));
}

}  // namespace

SysTask Legacy::Alarm(Call& call, Below) const {
  const itimerval timer = {{0, 0}, {call.Arg<uint32_t>(0), 0}};
  const Argument next = call.Put({reinterpret_cast<const char*>(&timer), sizeof(timer)});
  const Room<itimerval> room = call.MakeRoom<itimerval>();
  const SysResult result = co_await call.Run(Nr::setitimer, static_cast<int>(ITIMER_REAL), next, room);
  if (!result.ok()) co_return result;
  co_return SysResult::Ok(SecondsLeft(call.Read(room)));
}

SysTask Legacy::Time(Call& call, Below) const {
  const Room<timespec> room = call.MakeRoom<timespec>();
  const SysResult result = co_await call.Run(Nr::clock_gettime, CLOCK_REALTIME_COARSE, room);
  if (!result.ok()) co_return result;
  const timespec now = call.Read(room);
  if (call.Arg<uint64_t>(0) != 0) call.CopyOut(0, now.tv_sec);
  co_return SysResult::Ok(static_cast<uint64_t>(now.tv_sec));
}

SysTask Legacy::Utime(Call& call, Below below) const {
  const Argument path = call.Forward(0);
  if (call.Arg<uint64_t>(1) == 0) co_return below.Tail(call.As(Nr::utimensat, AT_FDCWD, path, 0, 0));
  utimbuf old;
  const auto bytes = call.Arg<Bytes>(1);
  if (bytes.data.size() < sizeof(old)) co_return SysResult::Error(EFAULT);
  std::memcpy(&old, bytes.data.data(), sizeof(old));
  const FileTimes times = {{{old.actime, 0}, {old.modtime, 0}}};
  co_return below.Tail(call.As(Nr::utimensat, AT_FDCWD, path, PutTimes(call, times), 0));
}

SysTask Legacy::Utimes(Call& call, Below below) const { return SetTimes(call, below, AT_FDCWD, 0, 1); }

SysTask Legacy::Futimesat(Call& call, Below below) const { return SetTimes(call, below, call.Pass(0), 1, 2); }

}  // namespace guise::personalities
