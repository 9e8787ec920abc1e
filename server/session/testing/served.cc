#include "server/session/testing/served.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/session/testing/personalities.h"

namespace guise::server::testing {
namespace {

[[noreturn]] void Fail(const std::string& what) {
  fprintf(stderr, "cannot serve for a test: %s\n", what.c_str());
  abort();
}

sockaddr_un AddressOf(const std::string& name, socklen_t* size) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path + 1, name.data(), name.size());
  *size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

OwnedFd Seqpacket() { return OwnedFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)); }

}  // namespace

Served::Served(const Options& options) {
  absl::StatusOr<std::unique_ptr<Reactor>> reactor = Reactor::Create({.allow_io_uring = options.allow_io_uring});
  if (!reactor.ok()) Fail(reactor.status().ToString());
  reactor_ = *std::move(reactor);
  Sessions::Options wanted;
  wanted.compile = TestCompiler();
  wanted.allow_io_uring = options.allow_io_uring;
  wanted.join_within = options.join_within;
  absl::StatusOr<std::unique_ptr<Sessions>> sessions = Sessions::Start(*reactor_, std::move(wanted));
  if (!sessions.ok()) Fail(sessions.status().ToString());
  sessions_ = *std::move(sessions);

  static std::atomic<int> count = 0;
  address_ = absl::StrCat("guise-test-", getpid(), "-", ++count);
  OwnedFd listener = Seqpacket();
  socklen_t size = 0;
  const sockaddr_un address = AddressOf(address_, &size);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) Fail("bind");
  if (listen(listener.get(), 64) != 0) Fail("listen");
  absl::StatusOr<std::unique_ptr<FdSocket>> socket = FdSocket::Serve(*reactor_, *sessions_, std::move(listener));
  if (!socket.ok()) Fail(socket.status().ToString());
  socket_ = *std::move(socket);
  thread_ = std::thread([this] { reactor_->Run(); });
}

Served::~Served() {
  absl::Notification closed;
  reactor_->Post([&] {
    socket_.reset();
    closed.Notify();
  });
  closed.WaitForNotification();
  sessions_.reset();
  reactor_->Stop();
  thread_.join();
}

Attached Served::Ask(const void* bytes, size_t size, Connecter connecter) const {
  Attached attached;
  attached.connection = Seqpacket();
  socklen_t address_size = 0;
  const sockaddr_un address = AddressOf(address_, &address_size);
  const auto connects = [&] {
    return connect(attached.connection.get(), reinterpret_cast<const sockaddr*>(&address), address_size) == 0;
  };
  if (connecter == Connecter::kThis) {
    if (!connects()) Fail("connect");
  } else {
    const pid_t child = fork();
    if (child == 0) _exit(connects() ? 0 : 1);
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) Fail("connect in a child");
  }
  if (send(attached.connection.get(), bytes, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) Fail("send");
  iovec into = {.iov_base = &attached.reply, .iov_len = sizeof(attached.reply)};
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
  msghdr header = {};
  header.msg_iov = &into;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  if (recvmsg(attached.connection.get(), &header, MSG_CMSG_CLOEXEC) <= 0) return attached;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    const size_t fds = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < fds; ++i) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
      attached.fds.emplace_back(fd);
    }
  }
  return attached;
}

Attached Served::Attach(wire::FdOp op, uint32_t session, Connecter connecter) const {
  wire::FdMessage request = {};
  request.magic = wire::kFdSocketMagic;
  request.version = wire::kFdSocketVersion;
  request.op = op;
  request.session = session;
  return Ask(&request, sizeof(request), connecter);
}

Served::Kept Served::Keep(const std::vector<std::string>& layers, const std::vector<Override>& overrides,
                          const std::optional<v1::SandboxPolicy>& sandbox) {
  Kept kept;
  SessionOptions options;
  options.layers = layers;
  options.owner_uid = geteuid();
  options.owner_gid = getegid();
  options.overrides = overrides;
  options.sandbox = sandbox;
  absl::StatusOr<SessionInfo> info = sessions_->Create(options);
  if (!info.ok()) Fail(info.status().ToString());
  kept.info = *std::move(info);
  kept.keeper = Attach(wire::FdOp::kAttach, kept.info.number);
  if (kept.keeper.reply.error != 0 || kept.keeper.fds.size() < 4) Fail("attach");
  kept.memory =
      std::make_unique<GuestMemory>(kept.keeper.fds[wire::kFdRequest].get(), kept.keeper.fds[wire::kFdReply].get());
  return kept;
}

}  // namespace guise::server::testing
