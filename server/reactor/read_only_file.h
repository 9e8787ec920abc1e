// A file that is handed out read-only, and how it is known that nobody has it any more.
#ifndef GUISE_SERVER_REACTOR_READ_ONLY_FILE_H_
#define GUISE_SERVER_REACTOR_READ_ONLY_FILE_H_

#include <fcntl.h>
#include <signal.h>

#include <string>

#include "server/reactor/owned_fd.h"

namespace guise::server {

// Another description of the file that the link of /proc/self/fd leads to. None, and errno.
inline OwnedFd OpenReadOnly(const std::string& link) { return OwnedFd(open(link.c_str(), O_RDONLY | O_CLOEXEC)); }

// Whether there is no other read-only description of the file, open or mapped, in whatever namespace; false also when
// the kernel does not say. REQUIRES: `fd` is such a description, in no other process. Async-signal-safe.
// ABI: F_SETLEASE of fcntl(2): a write lease is granted to the only description, and read-only ones are counted. Who
// opens the file in the moment of the lease waits for its end, and has a signal sent here, one that is ignored by
// default.
inline bool IsOnlyReader(int fd) {
  fcntl(fd, F_SETSIG, SIGURG);
  if (fcntl(fd, F_SETLEASE, F_WRLCK) != 0) return false;
  fcntl(fd, F_SETLEASE, F_UNLCK);
  return true;
}

}  // namespace guise::server

#endif  // GUISE_SERVER_REACTOR_READ_ONLY_FILE_H_
