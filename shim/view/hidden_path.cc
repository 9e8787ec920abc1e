#include "shim/view/hidden_path.h"

#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "proto/wire/overlay.h"
#include "proto/wire/published.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/guest_memory.h"
#include "shim/memories.h"
#include "shim/memory.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint32_t kTypeMask = 0170000;  // S_IFMT
constexpr uint32_t kLink = 0120000;      // S_IFLNK
constexpr uint64_t kReadOnly = 1;        // ST_RDONLY
constexpr int kMaxLinks = 40;            // ABI: include/linux/namei.h, MAXSYMLINKS

// No program makes one of this name.
constexpr char kAbsentName[] = ".guise\x7f-absent";

bool IsHiddenStatus(const struct statx& status) {
  return wire::EncodeDev(status.stx_dev_major, status.stx_dev_minor) == RootReply().hiding.device.Relaxed();
}

bool Look(int32_t dir_fd, uint64_t path, bool follows, struct statx* status) {
  const uint64_t flags = AT_NO_AUTOMOUNT | AT_EMPTY_PATH | (follows ? 0 : AT_SYMLINK_NOFOLLOW);
  return !IsError(Native(Nr::statx, dir_fd, path, flags, STATX_TYPE, status));
}

}  // namespace

bool IsHidden(int32_t dir_fd, uint64_t path, bool follows) {
  struct statx status;
  return Look(dir_fd, path, follows, &status) && IsHiddenStatus(status);
}

bool MayEndHidden(uint64_t path) {
  char text[HiddenPath::kSize];
  const int64_t length = ReadGuestString(text, path, sizeof(text));
  if (length <= 0) return true;
  size_t at = static_cast<size_t>(length);
  while (at > 0 && text[at - 1] != '/') --at;
  const char* const name = text + at;
  const size_t size = static_cast<size_t>(length) - at;
  // A slash behind a link follows it, and dots are no name.
  const bool dots = size <= 2 && name[0] == '.' && (size == 1 || name[1] == '.');
  if (size == 0 || dots) return true;
  const uint32_t bit = wire::HidingNameBit(name, size);
  return (RootReply().hiding.names[bit / 64].Relaxed() >> (bit % 64) & 1) != 0;
}

bool HiddenPath::Append(const char* text, size_t size) {
  if (size >= kSize - done_size_) return false;
  memcpy(done_ + done_size_, text, size);
  done_size_ += size;
  done_[done_size_] = 0;
  return true;
}

bool HiddenPath::Meets(int32_t dir_fd, uint64_t path, LastLink link) {
  struct statx status;
  // Who is there by the whole path, without dots, has met nobody.
  if (Look(dir_fd, path, link == LastLink::kFollowed, &status) && !IsHiddenStatus(status) &&
      !GoesThroughHidden(dir_fd, path)) {
    return false;
  }
  dir_fd_ = dir_fd;
  done_size_ = 0;
  const int64_t length = ReadGuestString(done_, path, kSize);
  if (length <= 0) return false;
  from_ = kSize - 1 - static_cast<size_t>(length);
  memcpy(rest_ + from_, done_, static_cast<size_t>(length) + 1);
  for (int links = 0;;) {
    if (rest_[from_] == '/' && done_size_ == 0 && !Append("/", 1)) return false;
    from_ = SkipSlashes(from_);
    if (rest_[from_] == 0) return false;
    directory_size_ = done_size_;
    if (done_size_ > 0 && done_[done_size_ - 1] != '/' && !Append("/", 1)) return false;
    size_t end = from_;
    while (rest_[end] != 0 && rest_[end] != '/') ++end;
    if (!Append(rest_ + from_, end - from_)) return false;
    from_ = end;
    if (!Look(dir_fd, Word(done_), false, &status)) return false;
    if (IsHiddenStatus(status)) return true;
    if ((status.stx_mode & kTypeMask) != kLink) continue;
    const bool followed = !IsLast() || link == LastLink::kFollowed || (link == LastLink::kTaken && EndsWithSlash());
    if (!followed || ++links > kMaxLinks) return false;
    // Its text comes before the rest. ABI: one of /proc's that is not a path (pipe:[1]) leads to nothing.
    const int64_t read = Native(Nr::readlinkat, dir_fd, done_, rest_, from_);
    if (read <= 0 || static_cast<size_t>(read) == from_) return false;
    from_ -= static_cast<size_t>(read);
    memmove(rest_ + from_, rest_, static_cast<size_t>(read));
    done_size_ = rest_[from_] == '/' ? 0 : directory_size_;
    done_[done_size_] = 0;
  }
}

bool HiddenPath::IsReadOnly() {
  const char kept = done_[directory_size_];
  done_[directory_size_] = 0;
  const int64_t directory =
      Native(Nr::openat, dir_fd_, directory_size_ == 0 ? "." : done_, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  done_[directory_size_] = kept;
  struct statfs mount;
  mount.f_flags = 0;
  if (IsError(directory)) return false;
  Native(Nr::fstatfs, directory, &mount);
  Native(Nr::close, directory);
  return (static_cast<uint64_t>(mount.f_flags) & kReadOnly) != 0;
}

const char* HiddenPath::Absent() {
  done_size_ = directory_size_;
  if (done_size_ > 0 && done_[done_size_ - 1] != '/' && !Append("/", 1)) return nullptr;
  const bool fits = Append(kAbsentName, sizeof(kAbsentName) - 1) && Append(rest_ + from_, kSize - 1 - from_);
  return fits ? done_ : nullptr;
}

bool GoesThroughHidden(int32_t dir_fd, uint64_t path) {
  char text[HiddenPath::kSize];
  if (ReadGuestString(text, path, sizeof(text)) <= 0) return false;
  const auto is_dots = [&](size_t at) {
    return text[at] == '.' && text[at + 1] == '.' && (text[at + 2] == '/' || text[at + 2] == 0);
  };
  // Behind dots or the root there is nobody but who was there before.
  bool is_named = false;
  for (size_t at = 0; text[at] != 0;) {
    if (text[at] == '/') {
      ++at;
      continue;
    }
    const bool dots = is_dots(at);
    if (dots && is_named) {
      const char kept = text[at];
      text[at] = 0;
      if (IsHidden(dir_fd, Word(text), true)) return true;
      text[at] = kept;
    }
    is_named = !dots;
    while (text[at] != 0 && text[at] != '/') ++at;
  }
  return false;
}

}  // namespace guise::shim
