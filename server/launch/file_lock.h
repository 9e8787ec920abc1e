// A lock file: flock(2) on a file that holds its holder's process id. The kernel lets go of it when the holder dies, so
// there is no stale lock; the file itself is never removed, or two could hold locks on two files of one name.
#ifndef GUISE_SERVER_LAUNCH_FILE_LOCK_H_
#define GUISE_SERVER_LAUNCH_FILE_LOCK_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

// Movable; lets go on destruction. The lock belongs to the open file: a forked child that keeps the fd keeps it too.
class FileLock {
 public:
  // Takes the lock or fails at once: ALREADY_EXISTS when another holds it; Holder() tells who.
  static absl::StatusOr<FileLock> TryTake(const std::string& path);
  // Waits for the lock.
  static absl::StatusOr<FileLock> Take(const std::string& path);
  // The process id written by whoever holds the lock now; 0 when nobody holds it or the id cannot be read.
  static pid_t Holder(const std::string& path);

  // Writes the caller's process id anew: for a lock that was taken before a fork.
  absl::Status WritePid();

 private:
  explicit FileLock(OwnedFd fd) : fd_(std::move(fd)) {}
  static absl::StatusOr<FileLock> Acquire(const std::string& path, int operation);

  OwnedFd fd_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_FILE_LOCK_H_
