#include "server/launch/entrance.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/launch/ancestry.h"
#include "server/reactor/pidfd.h"

namespace guise::server {
namespace {

bool IsSameFile(int a, int b) {
  struct stat one;
  struct stat other;
  return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace

absl::StatusOr<Entrance> FindEntrance(const std::vector<pid_t>& guests, pid_t keeper, int image) {
  for (const pid_t guest : guests) {
    Entrance entrance = {.pid = guest, .pidfd = OwnedFd(), .image = OwnedFd()};
    // In this order: while it lives, the pid is the one's that is looked at then.
    entrance.pidfd = OpenPidfd(guest);
    if (!entrance.pidfd || guest == keeper || !DescendsFrom(guest, keeper)) continue;
    entrance.image = OwnedFd(open(absl::StrCat("/proc/", guest, "/exe").c_str(), O_PATH | O_CLOEXEC));
    if (!entrance.image || !IsSameFile(entrance.image.get(), image)) continue;
    if (syscall(SYS_pidfd_send_signal, entrance.pidfd.get(), 0, nullptr, 0) == 0) return entrance;
  }
  return absl::UnavailableError("no process of the session's sandbox can be joined; `guise ps` shows whether it lives");
}

}  // namespace guise::server
