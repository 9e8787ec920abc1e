// A server in the test's own process: reactor, sessions and fd socket, and connections to it.
#ifndef GUISE_SERVER_SESSION_TESTING_SERVED_H_
#define GUISE_SERVER_SESSION_TESTING_SERVED_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "proto/wire/fdsocket.h"
#include "server/channel/testing/guest.h"
#include "server/reactor/owned_fd.h"
#include "server/reactor/reactor.h"
#include "server/session/fd_socket.h"
#include "server/session/sessions.h"

namespace guise::server::testing {

// A connection to the fd socket after its request.
struct Attached {
  OwnedFd connection;
  wire::FdMessage reply = {};
  std::vector<OwnedFd> fds;
};

class Served {
 public:
  struct Options {
    bool allow_io_uring = true;
    absl::Duration join_within = absl::Minutes(1);
  };
  explicit Served(const Options& options);
  ~Served();

  Sessions& sessions() { return *sessions_; }
  Reactor& reactor() { return *reactor_; }

  // A new connection that sends these bytes and takes the reply; no fds and reply.magic == 0: closed without one.
  // kGone: connected by a process that has ended by then.
  enum class Connecter { kThis, kGone };
  Attached Ask(const void* bytes, size_t size, Connecter connecter = Connecter::kThis) const;
  Attached Attach(wire::FdOp op, uint32_t session, Connecter connecter = Connecter::kThis) const;
  // A session with a keeper: this process.
  struct Kept {
    SessionInfo info;
    Attached keeper;
    std::unique_ptr<GuestMemory> memory;
  };
  Kept Keep(const std::vector<std::string>& layers, const std::vector<Override>& overrides = {},
            const std::optional<v1::SandboxPolicy>& sandbox = std::nullopt);

 private:
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Sessions> sessions_;
  std::unique_ptr<FdSocket> socket_;
  std::thread thread_;
  std::string address_;  // abstract
};

}  // namespace guise::server::testing

#endif  // GUISE_SERVER_SESSION_TESTING_SERVED_H_
