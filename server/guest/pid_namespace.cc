#include "server/guest/pid_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>

#include "absl/strings/str_cat.h"
#include "server/reactor/pidfd.h"

// ABI: include/uapi/linux/nsfs.h, since Linux 6.11; headers may be older. The pid is the argument itself, and the
// answer the result: fs/nsfs.c, ns_ioctl().
#ifndef NS_GET_TGID_FROM_PIDNS
#define NS_GET_TGID_FROM_PIDNS _IOR(NSIO, 0x7, int)
#endif

namespace guise::server {

PidNamespace PidNamespace::Of(pid_t pid, const OwnedFd& pidfd) {
  OwnedFd file(open(absl::StrCat("/proc/", pid, "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
  // In this order: a process that has not ended still has its pid.
  if (!file || HasEnded(pidfd)) return {};
  return PidNamespace(std::move(file));
}

std::optional<pid_t> PidNamespace::Find(pid_t named) const {
  if (!file_) return std::nullopt;
  if (named <= 0) return 0;
  const int found = ioctl(file_.get(), NS_GET_TGID_FROM_PIDNS, static_cast<unsigned long>(named));
  if (found > 0) return found;
  return found < 0 && errno == ESRCH ? std::optional<pid_t>(0) : std::nullopt;
}

}  // namespace guise::server
