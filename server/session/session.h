// Session: one tree of guests: its memories, strand, census and life.
//
// Life: starting until somebody joins (a keeper or a connection for one more guest), running until nobody is connected
// and no guest lives, then ended for good.
//
// Thread safety: every function may be called from any thread; those that wait say so, and not from the reactor's.
#ifndef GUISE_SERVER_SESSION_SESSION_H_
#define GUISE_SERVER_SESSION_SESSION_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "server/channel/shared_memory.h"
#include "server/channel/workers.h"
#include "server/reactor/reactor.h"
#include "server/session/census.h"
#include "server/session/sessions.h"
#include "server/session/strand.h"
#include "server/sites/site_library.h"

namespace guise::server {

class Session : public std::enable_shared_from_this<Session> {
 public:
  struct Options {
    uint32_t number = 0;
    SessionOptions session;
    EpochCompiler compile;
    absl::Duration join_within;
    std::shared_ptr<SiteLibrary> sites;  // may be null
    // Called once, when the session has ended, on whatever thread ends it.
    std::function<void(const SessionInfo& last)> ended;
  };
  // Publishes epoch 1 and begins to serve. REQUIRES: reactor and workers outlive the session's life.
  static absl::StatusOr<std::shared_ptr<Session>> Create(Reactor& reactor, Workers& workers, Options options);

  uint32_t number() const { return options_.number; }
  uid_t owner_uid() const { return options_.session.owner_uid; }
  const std::string& name() const { return options_.session.name; }
  bool sandboxed() const { return options_.session.sandbox.has_value(); }
  const SessionMemories& memories() const { return *memories_; }
  int store_fd() const { return strand_->store_fd(); }

  SessionInfo Info();

  // As in Sessions. Drain, Stop and Wait wait.
  absl::StatusOr<uint32_t> PublishStack(const std::vector<std::string>& layers);
  absl::StatusOr<uint32_t> Place(const std::vector<Override>& changes);
  absl::StatusOr<uint32_t> Drain(uint32_t epoch, absl::Time deadline);
  absl::StatusOr<uint32_t> Stop(int signal, absl::Duration grace);
  absl::Status Wait(absl::Time deadline);
  // Waits while everybody has hung up and no guest lives, but the reactor has not ended the session yet.
  void Settle(absl::Time deadline);

  // --- Connections of the fd socket
  enum class Role { kKeeper, kGuest };
  using ConnectionId = uint64_t;
  struct Connection {
    Role role;
    pid_t pid;                    // of the peer
    int socket;                   // stays open until Leave() has returned, or `close` is called
    std::function<void()> close;  // called once, on the reactor's thread, when the session ends before Leave()
  };
  // FAILED_PRECONDITION: the session has ended. ALREADY_EXISTS: it has a keeper.
  absl::StatusOr<ConnectionId> Join(Connection connection);
  void Leave(ConnectionId connection);

  // Whether `pid` keeps this session, or has joined it to start a guest in its sandbox; whether it was a guest at the
  // last look at all records.
  bool JoinedBy(pid_t pid) const;
  bool HasGuest(pid_t pid) const;
  void LookAtRecords();

  // Ends it now, whoever lives. Waits for an end that is under way.
  void End();

 private:
  Session(Reactor& reactor, Workers& workers, Options options);
  absl::StatusOr<uint32_t> PublishNext(std::vector<std::string> layers, std::vector<Override> overrides)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(publish_mutex_);
  EpochSpec Spec(uint32_t number, std::vector<std::string> layers, std::vector<Override> overrides) const;
  absl::Status Gone() const;
  bool IsEnded() const;
  bool KeepsSites() const;
  // It has ended, or will: everybody has hung up and no guest lives.
  bool Deserted();

  // On the reactor's thread.
  void Round();
  void Reconsider();
  void In(absl::Duration delay, void (Session::*what)());

  Reactor& reactor_;
  Workers& workers_;
  const Options options_;
  const int64_t created_unix_nanos_;
  std::shared_ptr<SessionMemories> memories_;  // these three are set once, by Create
  std::shared_ptr<Strand> strand_;
  std::shared_ptr<Census> census_;

  absl::Mutex publish_mutex_;  // one publication at a time
  absl::Notification ended_;   // all of End() is done

  mutable absl::Mutex mutex_;
  SessionState state_ ABSL_GUARDED_BY(mutex_) = SessionState::kStarting;
  bool joined_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> layers_ ABSL_GUARDED_BY(mutex_);
  std::vector<Override> overrides_ ABSL_GUARDED_BY(mutex_);
  uint32_t epoch_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<ConnectionId, Connection> connections_ ABSL_GUARDED_BY(mutex_);
  ConnectionId next_connection_ ABSL_GUARDED_BY(mutex_) = 1;

  // The reactor's thread alone.
  absl::Duration round_;
  uint64_t events_ = 0;
  int empty_looks_ = 0;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SESSION_SESSION_H_
