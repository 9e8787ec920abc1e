#include "server/control/listeners.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/launch/errno_status.h"
#include "server/launch/unix_address.h"

namespace guise::server {
namespace {

constexpr int kBacklog = 128;

// REQUIRES: the runtime directory's lock is held, so what lies at the path is nobody's.
absl::StatusOr<OwnedFd> Listen(const std::string& path, int type) {
  const absl::StatusOr<sockaddr_un> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  OwnedFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return ErrnoStatus(errno, "cannot make a unix socket");
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("cannot remove ", path));
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot bind ", path),
                       "make room on its file system, or choose another "
                       "runtime directory");
  }
  if (listen(socket.get(), kBacklog) != 0) return ErrnoStatus(errno, absl::StrCat("cannot listen at ", path));
  return socket;
}

}  // namespace

absl::StatusOr<Listeners> Listeners::Open(const RuntimeDirectory& directory) {
  absl::StatusOr<FileLock> lock = FileLock::TryTake(directory.ServerLock());
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::AlreadyExistsError(absl::StrCat(
        "another server (pid ", FileLock::Holder(directory.ServerLock()), ") serves the runtime directory ",
        directory.path(), "; use that one, end it with `guise server stop`, or choose another with --runtime-dir"));
  }
  if (!lock.ok()) return lock.status();
  Listeners listeners(directory, *std::move(lock));
  absl::StatusOr<OwnedFd> fds = Listen(directory.FdSocket(), SOCK_SEQPACKET);
  if (!fds.ok()) return fds.status();
  listeners.fds_ = *std::move(fds);
  // Last: whoever can connect to it finds the fd socket too.
  absl::StatusOr<OwnedFd> control = Listen(directory.ControlSocket(), SOCK_STREAM);
  if (!control.ok()) return control.status();
  listeners.control_ = *std::move(control);
  return listeners;
}

void Listeners::Close() {
  if (!control_) return;
  unlink(directory_.ControlSocket().c_str());
  unlink(directory_.FdSocket().c_str());
  control_ = OwnedFd();
}

Listeners::~Listeners() { Close(); }

}  // namespace guise::server
