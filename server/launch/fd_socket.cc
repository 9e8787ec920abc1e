#include "server/launch/fd_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/launch/errno_status.h"
#include "server/launch/unix_address.h"
#include "server/reactor/pidfd.h"

namespace guise::server {
namespace {

constexpr size_t kMostFds = 8;

struct Received {
  wire::FdMessage message = {};
  std::vector<OwnedFd> fds;
};

absl::StatusOr<Received> ReceiveReply(int socket) {
  Received received;
  iovec vector = {&received.message, sizeof(received.message)};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))];
  msghdr header = {};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t length;
  do {
    length = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return ErrnoStatus(errno, "no answer from the server's fd socket");
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
      received.fds.emplace_back(fd);
    }
  }
  if (length == 0) {
    return absl::UnavailableError("the server closed the fd socket without an answer; its server.log says why");
  }
  // The kernel leaves out what there is no room for.
  if ((header.msg_flags & MSG_CTRUNC) != 0 && received.fds.size() < kMostFds) {
    return ErrnoStatus(EMFILE, "cannot take the session's memory from the server");
  }
  if (length != sizeof(wire::FdMessage) || received.message.magic != wire::kFdSocketMagic ||
      received.message.version != wire::kFdSocketVersion || (header.msg_flags & MSG_CTRUNC) != 0) {
    return absl::InternalError(
        "the server's answer on the fd socket is not understood; the server is of another version: "
        "`guise server stop`, then try again");
  }
  return received;
}

// As the kernel tells; `told`, as the server does, where it does not.
pid_t PidOfPeer(int socket, pid_t told) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : told;
}

absl::Status ErrorOfReply(int32_t error, uint32_t session) {
  const std::string id = absl::StrFormat("session %08x", session);
  switch (-error) {
    case ENOENT:
    case ESRCH:
      return absl::NotFoundError(absl::StrCat(id, ": no such session; `guise ps` lists those that live"));
    case EPERM:
    case EACCES:
      return absl::PermissionDeniedError(
          absl::StrCat(id, ": the server refuses this caller; call as the session's owner, from outside of a session"));
    default:
      return ErrnoStatus(-error, absl::StrCat(id, ": the server's fd socket"));
  }
}

}  // namespace

absl::StatusOr<OwnedFd> ConnectUnix(const std::string& path, int type) {
  const absl::StatusOr<sockaddr_un> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  OwnedFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!socket) return ErrnoStatus(errno, "cannot make a unix socket");
  int result;
  do {
    result = connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address));
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) {
      return absl::UnavailableError(absl::StrCat("no server listens at ", path));
    }
    return ErrnoStatus(errno, absl::StrCat("cannot connect to ", path));
  }
  return socket;
}

absl::StatusOr<Attachment> AttachToSession(const std::string& path, wire::FdOp op, uint32_t session) {
  absl::StatusOr<OwnedFd> socket = ConnectUnix(path, SOCK_SEQPACKET);
  if (!socket.ok()) return socket.status();
  wire::FdMessage request = {};
  request.magic = wire::kFdSocketMagic;
  request.version = wire::kFdSocketVersion;
  request.op = op;
  request.session = session;
  if (send(socket->get(), &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request)) {
    return ErrnoStatus(errno, absl::StrCat("cannot write to ", path));
  }
  absl::StatusOr<Received> reply = ReceiveReply(socket->get());
  if (!reply.ok()) return reply.status();
  if (reply->message.error != 0) return ErrorOfReply(reply->message.error, session);
  const size_t expected = op == wire::FdOp::kAttach ? wire::kFdStore + 1 : wire::kFdReply + 1;
  if (reply->fds.size() < expected) {
    return absl::InternalError(absl::StrFormat("session %08x: the server handed over %d fds instead of %d", session,
                                               reply->fds.size(), expected));
  }
  Attachment attachment;
  attachment.server_pid = PidOfPeer(socket->get(), reply->message.pid);
  attachment.server = PidfdOfPeer(socket->get(), attachment.server_pid);
  attachment.request = std::move(reply->fds[wire::kFdRequest]);
  attachment.reply = std::move(reply->fds[wire::kFdReply]);
  if (op == wire::FdOp::kAttach) {
    attachment.reply_keeper = std::move(reply->fds[wire::kFdReplyKeeper]);
    attachment.store = std::move(reply->fds[wire::kFdStore]);
    if (!attachment.server && reply->fds.size() > wire::kFdPidfd) {
      attachment.server = std::move(reply->fds[wire::kFdPidfd]);
    }
  }
  attachment.connection = *std::move(socket);
  return attachment;
}

}  // namespace guise::server
