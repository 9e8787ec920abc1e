#include "shim/gate/overlay.h"

#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "proto/wire/overlay.h"
#include "proto/wire/published.h"
#include "shim/gate/published.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/view/hiding.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// What Lay() looks at and changes.
constexpr uint32_t kNeeded = STATX_TYPE | STATX_INO | STATX_UID | STATX_GID | STATX_BTIME;

// One look-up, and again while the server is writing the very entry.
wire::Lookup Find(ThreadBlock* block, const OverlayView& view, const wire::InodeKey& key, wire::OverlayValue* value) {
  const struct {
    uint64_t offset;
    uint32_t log2;
  } tables[] = {{view.offset, view.log2}, {view.old_offset, view.old_log2}};
  for (const auto& table : tables) {
    if (table.log2 == 0) continue;
    const wire::Cell<uint8_t>* const tags = OverlayTable(*block->process, table.offset, table.log2);
    if (tags == nullptr) continue;
    wire::Lookup found = wire::Lookup::kTorn;
    while (found == wire::Lookup::kTorn) {
      found = wire::FindOverlay(tags, table.log2, key, value);
      // A server that died within the few stores leaves the entry torn for its successor to redo; until then what was
      // there before the change cannot be told, and the native values are shown.
      if (found == wire::Lookup::kTorn && !ServerAlive()) return wire::Lookup::kMiss;
    }
    if (found == wire::Lookup::kHit) return found;
  }
  return wire::Lookup::kMiss;
}

void Lay(ThreadBlock* block, const OverlayView& view, struct statx* stat) {
  stat->stx_uid = wire::ShownId(stat->stx_uid, view.flags, view.owner_from, view.owner_to);
  stat->stx_gid = wire::ShownId(stat->stx_gid, view.flags, view.group_from, view.group_to);
  if (view.log2 == 0 && view.old_log2 == 0) return;
  const bool born = (stat->stx_mask & STATX_BTIME) != 0;
  const wire::InodeKey key = {.ino = stat->stx_ino,
                              .birth_seconds = born ? stat->stx_btime.tv_sec : 0,
                              .birth_nanoseconds = born ? stat->stx_btime.tv_nsec : 0,
                              .dev = wire::EncodeDev(stat->stx_dev_major, stat->stx_dev_minor)};
  wire::OverlayValue value;
  if (Find(block, view, key, &value) != wire::Lookup::kHit) return;
  if ((value.fields & wire::kOverlayUid) != 0) stat->stx_uid = value.uid;
  if ((value.fields & wire::kOverlayGid) != 0) stat->stx_gid = value.gid;
  constexpr uint32_t kTypeMask = 0170000;  // S_IFMT
  if ((value.fields & wire::kOverlayType) != 0) {
    stat->stx_mode = static_cast<uint16_t>((stat->stx_mode & ~kTypeMask) | (value.type & kTypeMask));
  }
  if ((value.fields & wire::kOverlayRdev) != 0) {
    stat->stx_rdev_major = wire::DevMajor(value.rdev);
    stat->stx_rdev_minor = wire::DevMinor(value.rdev);
  }
}

struct stat ToStat(const struct statx& from) {
  struct stat to;
  memset(&to, 0, sizeof(to));
  wire::CopyToStat(from, &to);
  to.st_atime = static_cast<uint64_t>(from.stx_atime.tv_sec);
  to.st_atime_nsec = from.stx_atime.tv_nsec;
  to.st_mtime = static_cast<uint64_t>(from.stx_mtime.tv_sec);
  to.st_mtime_nsec = from.stx_mtime.tv_nsec;
  to.st_ctime = static_cast<uint64_t>(from.stx_ctime.tv_sec);
  to.st_ctime_nsec = from.stx_ctime.tv_nsec;
  return to;
}

// Where a member of the family looks, and where it writes.
struct Request {
  GuestCall statx;
  uint64_t result_at;
  bool wants_statx;
};

bool Understand(const GuestCall& call, struct statx* buffer, Request* request) {
  static constexpr char kEmpty[] = "";
  const uint64_t cwd = static_cast<uint64_t>(int64_t{AT_FDCWD});
  const auto at = [&](uint64_t fd, uint64_t path, uint64_t flags, uint64_t result) {
    // ABI: the old calls never trigger automounts, fs/stat.c vfs_statx().
    *request = {
        {Nr::statx, {fd, path, flags | AT_NO_AUTOMOUNT, kNeeded | STATX_BASIC_STATS, Word(buffer), 0}}, result, false};
    return true;
  };
  switch (call.nr) {
    case Nr::stat:
      return at(cwd, call.args[0], 0, call.args[1]);
    case Nr::lstat:
      return at(cwd, call.args[0], AT_SYMLINK_NOFOLLOW, call.args[1]);
    case Nr::fstat:
      // AT_FDCWD means something to statx only.
      if (static_cast<int32_t>(call.args[0]) < 0) return false;
      return at(call.args[0], Word(kEmpty), AT_EMPTY_PATH, call.args[1]);
    case Nr::newfstatat:
      // Flags that statx knows and newfstatat does not are its own to refuse.
      if ((call.args[3] & ~uint64_t{AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH} & 0xffffffff) != 0)
        return false;
      return at(call.args[0], call.args[1], call.args[3], call.args[2]);
    case Nr::statx:
      *request = {{Nr::statx, {call.args[0], call.args[1], call.args[2], call.args[3] | kNeeded, Word(buffer), 0}},
                  call.args[4],
                  true};
      return (call.args[3] & STATX__RESERVED) == 0;
    default:
      return false;
  }
}

}  // namespace

Outcome StatWithOverlay(ThreadBlock* block, const GuestCall& call, const OverlayView& view) {
  struct statx found;
  Request request;
  if (!Understand(call, &found, &request)) return Outcome::Native();
  const int64_t result = MayMeetHidden(request.statx) ? PerformHiding(block, request.statx) : Perform(request.statx);
  if (IsError(result)) return Outcome::Done(result);
  Lay(block, view, &found);
  bool written;
  if (request.wants_statx) {
    // ABI: fs/stat.c, generic_fillattr(): the kernel tells what it knows, asked or not, of the basic fields but the
    // times of change, which since Linux 6.13 it tells, as the birth time, only when asked for.
    if ((call.args[3] & STATX_BTIME) == 0) {
      found.stx_mask &= ~STATX_BTIME;
      memset(&found.stx_btime, 0, sizeof(found.stx_btime));
    }
    written = WriteGuest(request.result_at, found);
  } else {
    written = WriteGuest(request.result_at, ToStat(found));
  }
  return Outcome::Done(written ? 0 : -EFAULT);
}

}  // namespace guise::shim
