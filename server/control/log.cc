#include "server/control/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/launch/errno_status.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

constexpr off_t kLargestLog = 1 << 20;

}  // namespace

void Log(absl::string_view line) {
  const std::string text = absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()),
                                        " [", getpid(), "] ", line, "\n");
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

absl::Status LogTo(const std::string& path) {
  struct stat st;
  if (lstat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > kLargestLog) {
    if (rename(path.c_str(), absl::StrCat(path, ".1").c_str()) != 0) {
      return ErrnoStatus(errno, absl::StrCat("cannot rename the log ", path));
    }
  }
  const OwnedFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return ErrnoStatus(errno, absl::StrCat("cannot open the log ", path));
  if (dup2(file.get(), STDOUT_FILENO) < 0 || dup2(file.get(), STDERR_FILENO) < 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot write to the log ", path));
  }
  return absl::OkStatus();
}

}  // namespace guise::server
