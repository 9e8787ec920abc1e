// A keeper: outlives the server for a session, and tells its guests when the server is gone.
//
// `guise run` is its session's first keeper; when the main guest ends before others do, a copy of it stays behind.
#ifndef GUISE_SERVER_LAUNCH_KEEPER_H_
#define GUISE_SERVER_LAUNCH_KEEPER_H_

#include <poll.h>

#include <string>

#include "absl/status/statusor.h"
#include "server/launch/fd_socket.h"
#include "server/launch/session_memory.h"

namespace guise::server {

// Movable, not thread-safe. From Start() on nothing allocates, so that a forked child can go on with it.
//
// An attachment without the keeper's view of the reply memory (FdOp::kGuest) makes a watcher: it sees the server go,
// but wakes and writes nothing; the session's keeper does.
class Keeper {
 public:
  // Maps the memories and, as a keeper, announces the server to the guests.
  static absl::StatusOr<Keeper> Start(Attachment attachment);

  enum class Server {
    kServes,
    kLetGo,  // it closed the connection and lives on: the session has been ended
    kDied,
  };

  static constexpr int kPollFds = 2;
  // Fills in what to poll for; entries that can tell nothing more are -1.
  void FillPoll(pollfd* fds) const;
  // How long a poll may take, in ms; -1: for ever.
  int PollTimeout() const { return lost_ && keeps_ ? kWakeMillis : -1; }

  // To be called after each poll. Looks at the server; once it is gone, tells the guests and wakes those that wait, at
  // each call again, since a guest may go to sleep just after a wake.
  void Check();

  // kLetGo and kDied come from two signs, of which the connection's end is seen first; so a moment after the loss,
  // Verdict may still turn from kLetGo to kDied.
  Server Verdict() const { return died_ ? Server::kDied : lost_ ? Server::kLetGo : Server::kServes; }
  bool keeps() const { return keeps_; }
  pid_t server_pid() const { return attachment_.server_pid; }
  const Attachment& attachment() const { return attachment_; }
  const SessionMemory& memory() const { return memory_; }
  // SessionMemory::PanicCount() when the session was joined.
  uint64_t panics_at_start() const { return panics_at_start_; }
  // What the guests' calls do now that the server is gone, for people.
  const char* LossPolicyInWords() const;

  // Keeps until no guest lives; of guests in namespaces of their own, until the server, which knows, ends the session,
  // or has gone and nobody holds the memory. Calls async-signal-safe functions only.
  void KeepUntilGuestsEnd();

  // A daemon of a copy of this process that calls KeepUntilGuestsEnd() with no file but what it needs, detached from
  // the terminal; the parent returns at once. False: there is no process to be had, and the session has no keeper.
  bool LeaveCopy();

 private:
  static constexpr int kWakeMillis = 100;

  Keeper(Attachment attachment, SessionMemory memory);

  // Once the server's hold is gone: false if nobody has reply memory as guests have it. REQUIRES: keeps().
  bool MayHaveGuests() const;

  Attachment attachment_;
  SessionMemory memory_;
  std::string reply_path_;  // of the writable description
  bool keeps_;
  uint64_t panics_at_start_;
  bool lost_ = false;
  bool died_ = false;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_KEEPER_H_
