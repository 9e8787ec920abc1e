#include "server/launch/surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#endif

namespace guise::server {

absl::Status CheckNotAGuest() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (!absl::StrContains(line, "/memfd:guise-request")) continue;
    return absl::FailedPreconditionError(
        "this process is already inside a session, and sessions do not nest; run the program directly (it is in this "
        "session already), or call `guise` from outside");
  }
  return absl::OkStatus();
}

absl::Status CheckSyscallUserDispatch() {
  if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) == 0) return absl::OkStatus();
  const int error = errno;
  utsname kernel = {};
  uname(&kernel);
  return absl::UnimplementedError(
      absl::StrCat("this kernel (", kernel.release, ") has no Syscall User Dispatch: ", strerror(error),
                   "; use Linux 5.11 or later with CONFIG_GENERIC_ENTRY, and see `guise doctor`"));
}

void OccupyStandardFds() {
  for (int fd = 0; fd < 3; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (open("/dev/null", O_RDWR | O_CLOEXEC) != fd) return;  // lower ones are taken, so it gets this number
  }
}

}  // namespace guise::server
