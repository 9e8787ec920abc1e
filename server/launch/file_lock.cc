#include "server/launch/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/launch/errno_status.h"

namespace guise::server {

absl::StatusOr<FileLock> FileLock::TryTake(const std::string& path) { return Acquire(path, LOCK_EX | LOCK_NB); }
absl::StatusOr<FileLock> FileLock::Take(const std::string& path) { return Acquire(path, LOCK_EX); }

absl::StatusOr<FileLock> FileLock::Acquire(const std::string& path, int operation) {
  OwnedFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) {
    return ErrnoStatus(errno, absl::StrCat("cannot open the lock file ", path),
                       "set GUISE_RUNTIME_DIR to a directory of your own that can be written to");
  }
  int result;
  do {
    result = flock(fd.get(), operation);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    if (errno == EWOULDBLOCK) return absl::AlreadyExistsError(absl::StrCat(path, ": held by another process"));
    return ErrnoStatus(errno, absl::StrCat("cannot lock ", path));
  }
  FileLock lock(std::move(fd));
  if (absl::Status status = lock.WritePid(); !status.ok()) return status;
  return lock;
}

absl::Status FileLock::WritePid() {
  const std::string text = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd_.get(), 0) != 0 ||
      pwrite(fd_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return ErrnoStatus(errno != 0 ? errno : EIO, "cannot write the lock file", "make room on its file system");
  }
  return absl::OkStatus();
}

pid_t FileLock::Holder(const std::string& path) {
  OwnedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return 0;
  if (flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return 0;
  char text[32] = {};
  if (pread(fd.get(), text, sizeof(text) - 1, 0) <= 0) return 0;
  return static_cast<pid_t>(strtol(text, nullptr, 10));
}

}  // namespace guise::server
