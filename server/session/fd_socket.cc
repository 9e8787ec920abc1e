#include "server/session/fd_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/wire/fdsocket.h"
#include "server/guest/peer.h"
#include "server/guest/process.h"
#include "server/reactor/pidfd.h"
#include "server/reactor/reactor.h"
#include "server/session/session.h"
#include "server/session/sessions.h"

namespace guise::server {
namespace {

constexpr size_t kMaxFds = 8;

// False: the peer has gone.
bool SendMessage(int socket, const wire::FdMessage& message, const std::vector<int>& fds) {
  iovec bytes = {.iov_base = const_cast<wire::FdMessage*>(&message), .iov_len = sizeof(message)};
  msghdr header = {};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  return sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) == ssize_t{sizeof(message)};
}

}  // namespace

struct FdSocket::State : std::enable_shared_from_this<FdSocket::State> {
  struct Connection {
    OwnedFd socket;
    ucred peer = {};
    Peer process;
    std::shared_ptr<Session> session;  // after its request
    Session::ConnectionId joined = 0;
  };

  State(Reactor& r, Sessions& s, OwnedFd l) : reactor(r), sessions(s), listener(std::move(l)) {}

  void Listen();
  void Accept();
  void Pause();
  void Read(int fd);
  void Close(int fd);
  void CloseAll();
  // Returns 0 or -errno; fills in what the reply carries.
  // `fds`: what goes with the answer; `own` is kept until it has been sent.
  int Answer(Connection& connection, const wire::FdMessage& request, std::vector<int>& fds, OwnedFd& own);
  bool MayAttach(const ucred& peer, const Session& session) const;

  Reactor& reactor;
  Sessions& sessions;
  OwnedFd listener;
  const OwnedFd self = OpenPidfd(getpid());
  std::unordered_map<int, Connection> connections;  // the reactor's thread alone
};

void FdSocket::State::Accept() {
  OwnedFd socket(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    if (errno == EMFILE || errno == ENFILE) Pause();
    return;
  }
  Connection connection;
  socklen_t size = sizeof(connection.peer);
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &connection.peer, &size) != 0) return;
  // Strangers are let go unheard: they could only fill the table.
  if (connection.peer.uid != geteuid() && connection.peer.uid != 0 && geteuid() != 0) return;
  const int fd = socket.get();
  connection.process = Peer(fd, connection.peer.pid);
  connection.socket = std::move(socket);
  connections[fd] = std::move(connection);
  reactor.Watch(fd, [weak = weak_from_this(), fd] {
    if (const std::shared_ptr<State> state = weak.lock()) state->Read(fd);
  });
}

void FdSocket::State::Listen() {
  if (!listener) return;
  reactor.Watch(listener.get(), [weak = weak_from_this()] {
    if (const std::shared_ptr<State> state = weak.lock()) state->Accept();
  });
}

// Without a free fd the listener would stay readable for ever.
void FdSocket::State::Pause() {
  reactor.Unwatch(listener.get());
  reactor.After(absl::Milliseconds(100), [weak = weak_from_this()] {
    if (const std::shared_ptr<State> state = weak.lock()) state->Listen();
  });
}

void FdSocket::State::Read(int fd) {
  Connection& connection = connections.at(fd);
  wire::FdMessage request = {};
  // MSG_TRUNC: the message's own size. Fds that a peer sends along are dropped by the kernel: there is no room for
  // them.
  const ssize_t size = recv(fd, &request, sizeof(request), MSG_TRUNC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0 || connection.joined != 0) return Close(fd);  // gone, or it says more than one thing

  wire::FdMessage reply = {};
  reply.magic = wire::kFdSocketMagic;
  reply.version = wire::kFdSocketVersion;
  reply.op = request.op;
  reply.session = request.session;
  reply.pid = getpid();
  std::vector<int> fds;
  OwnedFd own;
  const bool sound = size == ssize_t{sizeof(request)} && request.magic == wire::kFdSocketMagic;
  reply.error = !sound                                      ? -EINVAL
                : request.version != wire::kFdSocketVersion ? -EPROTONOSUPPORT
                                                            : Answer(connection, request, fds, own);
  if (!SendMessage(fd, reply, fds) || reply.error != 0) Close(fd);
}

int FdSocket::State::Answer(Connection& connection, const wire::FdMessage& request, std::vector<int>& fds,
                            OwnedFd& own) {
  if (request.op != wire::FdOp::kAttach && request.op != wire::FdOp::kGuest) return -EINVAL;
  const std::shared_ptr<Session> session = sessions.Find(request.session);
  if (session == nullptr) return -ESRCH;
  if (!MayAttach(connection.peer, *session)) return -EPERM;
  const bool is_guest = IsInNamespaceBelow(connection.peer.pid) || sessions.IsGuest(connection.peer.pid);
  if (is_guest || !connection.process.Lives()) return -EPERM;
  const SessionMemories& memories = session->memories();
  own = memories.OpenReplyForGuests();
  if (!own) return -errno;

  const bool keeper = request.op == wire::FdOp::kAttach;
  const int fd = connection.socket.get();
  Session::Connection peer;
  peer.role = keeper ? Session::Role::kKeeper : Session::Role::kGuest;
  peer.pid = connection.peer.pid;
  peer.socket = fd;
  peer.close = [weak = weak_from_this(), fd, session] {
    const std::shared_ptr<State> state = weak.lock();
    if (state == nullptr) return;
    const auto it = state->connections.find(fd);
    if (it != state->connections.end() && it->second.session == session) state->Close(fd);
  };
  absl::StatusOr<Session::ConnectionId> joined = session->Join(std::move(peer));
  if (!joined.ok()) return absl::IsAlreadyExists(joined.status()) ? -EBUSY : -ESRCH;
  connection.joined = *joined;
  connection.session = session;
  fds = {memories.request.fd(), own.get()};
  if (keeper) {
    fds.push_back(memories.reply.fd());
    fds.push_back(session->store_fd());
    if (self) fds.push_back(self.get());
  }
  return 0;
}

bool FdSocket::State::MayAttach(const ucred& peer, const Session& session) const {
  if (peer.uid == 0 || peer.uid == geteuid()) return true;
  return geteuid() == 0 && peer.uid == session.owner_uid();
}

void FdSocket::State::Close(int fd) {
  const auto it = connections.find(fd);
  if (it == connections.end()) return;
  reactor.Unwatch(fd);
  const Connection connection = std::move(it->second);
  connections.erase(it);
  if (connection.session != nullptr) connection.session->Leave(connection.joined);
}

void FdSocket::State::CloseAll() {
  if (listener) reactor.Unwatch(listener.get());
  listener = OwnedFd();
  while (!connections.empty()) Close(connections.begin()->first);
}

FdSocket::FdSocket(std::shared_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<FdSocket>> FdSocket::Serve(Reactor& reactor, Sessions& sessions, OwnedFd listener) {
  int listening = 0;
  socklen_t size = sizeof(listening);
  if (getsockopt(listener.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) {
    return absl::InvalidArgumentError("the fd socket is no listening socket; bind and listen before it is served");
  }
  // A peer may be gone again before it is accepted: that must not block.
  fcntl(listener.get(), F_SETFL, fcntl(listener.get(), F_GETFL) | O_NONBLOCK);
  auto state = std::make_shared<State>(reactor, sessions, std::move(listener));
  state->Listen();
  return std::unique_ptr<FdSocket>(new FdSocket(std::move(state)));
}

FdSocket::~FdSocket() { state_->CloseAll(); }

}  // namespace guise::server
