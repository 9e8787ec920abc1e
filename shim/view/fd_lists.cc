#include "shim/view/fd_lists.h"

#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <linux/poll.h>
#include <linux/time.h>

#include <initializer_list>

#include "shim/guest_memory.h"
#include "shim/view/fd_entries.h"
#include "shim/view/fd_fields.h"
#include "shim/view/fds.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// With an fd that is not open poll does not wait: it reports POLLNVAL there at once, and what is ready elsewhere. So
// the call can be made here.
bool Poll(const ProcessState& process, const GuestCall& call, Outcome* outcome) {
  if (call.args[1] > kMostFds) return false;
  const timespec at_once = {};
  GuestCall modern = call;
  if (call.nr == Nr::poll) modern = {Nr::ppoll, {call.args[0], call.args[1], Word(&at_once), 0, sizeof(SignalSet)}};
  return PerformWithout(process, {call.args[0], sizeof(pollfd), call.args[1]}, modern, outcome);
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

// Those before it are submitted; the first fails with what the kernel says of it. ABI: io_submit of fs/aio.c.
bool Submit(const ProcessState& process, const GuestCall& call, Outcome* outcome) {
  constexpr uint64_t kMost = uint64_t{1} << 20;
  for (uint64_t i = 0; i < call.args[1] && i < kMost; ++i) {
    uint64_t at;
    iocb block;
    if (!ReadGuest(&at, call.args[2] + i * sizeof(at)) || !ReadGuest(&block, at)) return false;
    const bool names = IsGuarded(process, static_cast<int32_t>(block.aio_fildes));
    const bool signals = (block.aio_flags & IOCB_FLAG_RESFD) != 0;
    if (!names && !(signals && IsGuarded(process, static_cast<int32_t>(block.aio_resfd)))) continue;
    GuestCall shorter = call;
    shorter.args[1] = i;
    (names ? block.aio_fildes : block.aio_resfd) = kNobodys;
    const uint64_t alone = Word(&block);
    if (i == 0) shorter = {call.nr, {call.args[0], 1, Word(&alone)}};
    *outcome = Outcome::Done(Perform(shorter));
    return true;
  }
  return false;
}

// ABI: include/uapi/linux/fs.h.
bool Deduplicate(const ProcessState& process, const GuestCall& call, Outcome* outcome) {
  file_dedupe_range range;
  if (!ReadGuest(&range, call.args[2])) return false;
  const Entries entries = {call.args[2] + offsetof(file_dedupe_range, info), sizeof(file_dedupe_range_info),
                           range.dest_count};
  return PerformWithout(process, entries, call, outcome);
}

bool AddRule(const ProcessState& process, const GuestCall& call, Outcome* outcome) {
  return static_cast<uint32_t>(call.args[1]) == LANDLOCK_RULE_PATH_BENEATH &&
         PerformWithout(process, OneFdAt(call.args[2] + offsetof(landlock_path_beneath_attr, parent_fd)), call,
                        outcome);
}

}  // namespace

bool AnswerForFdLists(ThreadBlock* block, GuestCall* asked, Outcome* outcome) {
  const GuestCall& call = *asked;
  switch (call.nr) {
    case Nr::io_submit:
      return Submit(*block->process, call, outcome);
    case Nr::ioctl:
      if (static_cast<uint32_t>(call.args[1]) == FIDEDUPERANGE) return Deduplicate(*block->process, call, outcome);
      return AnswerForFdFields(*block->process, asked, outcome);
    case Nr::landlock_add_rule:
      return AddRule(*block->process, call, outcome);
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
      return AnswerForFdFields(*block->process, asked, outcome);
  }
}

}  // namespace guise::shim
