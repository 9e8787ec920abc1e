#include "shim/view/fd_lists.h"

#include <linux/poll.h>
#include <linux/time.h>

#include <initializer_list>

#include "shim/guest_memory.h"
#include "shim/view/fds.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// Larger lists than any RLIMIT_NOFILE are refused by the kernel.
constexpr uint64_t kMostFds = uint64_t{1} << 20;

uint64_t EntryAt(const GuestCall& call, uint64_t i) { return call.args[0] + i * sizeof(pollfd); }

// Puts `to` in place of each entry's fd that is `from`; how many.
uint64_t Replace(const GuestCall& call, int32_t from, int32_t to) {
  uint64_t replaced = 0;
  for (uint64_t i = 0; i < call.args[1]; ++i) {
    int32_t fd;
    if (!ReadGuest(&fd, EntryAt(call, i)) || fd != from) continue;
    if (WriteGuest(EntryAt(call, i), to)) ++replaced;
  }
  return replaced;
}

// With an fd that is not open poll does not wait: it reports POLLNVAL there at once, and what is ready elsewhere. So
// the call can be made here, with numbers that nobody has in place of the guarded ones.
bool Poll(const ProcessState& process, const GuestCall& call, Outcome* outcome) {
  if (call.args[1] > kMostFds) return false;
  constexpr int32_t kNobodys = INT32_MAX;
  uint64_t replaced = 0;
  int32_t at = 0;
  for (const int32_t fd : GuardedFds(process)) {
    if (fd >= 0) replaced += Replace(call, fd, kNobodys - at++);
  }
  if (replaced == 0) return false;
  const timespec at_once = {};
  GuestCall modern = call;
  if (call.nr == Nr::poll) modern = {Nr::ppoll, {call.args[0], call.args[1], Word(&at_once), 0, sizeof(SignalSet)}};
  *outcome = Outcome::Done(Perform(modern));
  at = 0;
  for (const int32_t fd : GuardedFds(process)) {
    if (fd >= 0) Replace(call, kNobodys - at++, fd);
  }
  return true;
}

// A set with an fd that is not open is EBADF.
bool Select(const ProcessState& process, const GuestCall& call, Outcome* outcome) {
  const auto count = static_cast<int32_t>(call.args[0]);
  for (const int32_t fd : GuardedFds(process)) {
    if (fd < 0 || fd >= count) continue;
    for (int set = 1; set <= 3; ++set) {
      uint64_t word;
      if (call.args[set] == 0 || !ReadGuest(&word, call.args[set] + static_cast<uint64_t>(fd) / 64 * 8)) continue;
      if ((word >> (fd % 64) & 1) == 0) continue;
      *outcome = Outcome::Done(-EBADF);
      return true;
    }
  }
  return false;
}

// ABI: include/linux/socket.h; struct user_msghdr and struct cmsghdr of 64-bit programs.
struct MessageHeader {
  uint64_t name;
  uint32_t name_size;
  uint64_t parts;
  uint64_t part_count;
  uint64_t control;
  uint64_t control_size;
  uint32_t flags;
};
struct ControlHeader {
  uint64_t size;
  int32_t level;
  int32_t type;
};

// Fds in a message's SCM_RIGHTS.
bool PassesGuarded(const ProcessState& process, uint64_t message_at) {
  constexpr int32_t kSocketLevel = 1;
  constexpr int32_t kRights = 1;
  MessageHeader message;
  if (!ReadGuest(&message, message_at)) return false;
  uint64_t at = message.control;
  uint64_t left = message.control_size;
  while (left >= sizeof(ControlHeader)) {
    ControlHeader header;
    if (!ReadGuest(&header, at) || header.size < sizeof(header) || header.size > left) return false;
    if (header.level == kSocketLevel && header.type == kRights) {
      for (uint64_t offset = sizeof(header); offset + sizeof(int32_t) <= header.size; offset += sizeof(int32_t)) {
        int32_t fd;
        if (ReadGuest(&fd, at + offset) && IsGuarded(process, fd)) return true;
      }
    }
    const uint64_t step = (header.size + 7) & ~uint64_t{7};
    if (step > left) return false;
    at += step;
    left -= step;
  }
  return false;
}

bool Send(const ProcessState& process, const GuestCall& call, Outcome* outcome) {
  constexpr uint64_t kMessageStride = 64;  // struct mmsghdr
  const uint64_t count = call.nr == Nr::sendmmsg ? static_cast<uint32_t>(call.args[2]) : 1;
  constexpr uint64_t kMostMessages = 1024;  // UIO_MAXIOV
  for (uint64_t i = 0; i < count && i < kMostMessages; ++i) {
    if (!PassesGuarded(process, call.args[1] + i * kMessageStride)) continue;
    *outcome = Outcome::Done(-EBADF);
    return true;
  }
  return false;
}

}  // namespace

bool AnswerForFdLists(ThreadBlock* block, const GuestCall& call, Outcome* outcome) {
  switch (call.nr) {
    case Nr::poll:
    case Nr::ppoll:
      return Poll(*block->process, call, outcome);
    case Nr::select:
    case Nr::pselect6:
      return Select(*block->process, call, outcome);
    case Nr::sendmsg:
    case Nr::sendmmsg:
      return Send(*block->process, call, outcome);
    default:
      return false;
  }
}

}  // namespace guise::shim
