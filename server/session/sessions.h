// Sessions: all that this server serves. The registry behind the control plane and the fd socket.
//
// A session is born by Create() without guests; a launcher fetches its memories over the fd socket (fd_socket.h),
// becomes its keeper and starts the first guest. It ends when its keeper has gone and no guest lives, when nobody has
// joined it within a minute, or by Stop(). An ended session can be asked for by its id for a while, and is not listed.
//
// Thread safety: every function may be called from any thread. Those that wait say so: they must not be called on the
// reactor's thread, which makes their conditions come true.
//
// Errors, everywhere: NOT_FOUND no such living session; the message names the object, the cause and the remedy.
#ifndef GUISE_SERVER_SESSION_SESSIONS_H_
#define GUISE_SERVER_SESSION_SESSIONS_H_

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/control/v1/sandbox.pb.h"
#include "proto/wire/records.h"
#include "proto/wire/request.h"
#include "server/stack/epoch.h"

namespace guise::server {

class Reactor;
class Session;
class SiteLibrary;

using Override = PlacementOverride;

// What a new session is to be.
struct SessionOptions {
  std::vector<std::string> layers;  // leftmost nearest the guest; {"linux"} is the empty stack
  std::string name;                 // may be empty; else unique among living sessions, and no id of one
  uid_t owner_uid = 0;
  gid_t owner_gid = 0;
  std::vector<Override> overrides;
  bool exact_guest_seccomp = false;  // see proto/control/v1/sessions.proto
  bool refuse_unshimmed = false;
  bool generic_kernel = false;
  // The floor is a sandbox's. What it confines to is the launcher's business; the policy is kept for those who ask.
  std::optional<v1::SandboxPolicy> sandbox;
  uint32_t rewrite_after = 0;  // see wire::Published
  std::string text_rules;      // as in reply memory
};

enum class SessionState { kStarting, kRunning, kEnded };  // kStarting: no keeper and no guest so far

struct GuestInfo {
  pid_t pid = 0;     // in the server's pid namespace
  std::string comm;  // as the guest says
};

// Calls by where they were answered and by the parity of the epoch under which they were made.
struct CallTotals {
  uint64_t calls[wire::kPlacements][wire::kParities] = {};
};

// wire::SiteTotals, as the guests say it.
struct SiteCounts {
  uint64_t caught = 0;
  uint64_t near = 0;
  uint64_t far = 0;
  uint64_t stub_bytes = 0;
  uint64_t known = 0;
  uint64_t kept[wire::kSiteKept] = {};
};

struct SessionInfo {
  uint32_t number = 0;  // as the fd socket names it
  std::string id;       // the number in 8 hex digits
  std::string name;
  std::vector<std::string> layers;
  uint32_t epoch = 0;
  SessionState state = SessionState::kStarting;
  uid_t owner_uid = 0;
  int64_t created_unix_nanos = 0;
  std::vector<GuestInfo> guests;  // those that are alive, by rising pid
  CallTotals totals;
  std::vector<Override> overrides;
  uint64_t heap_frames = 0;
  uint64_t panics = 0;
  SiteCounts sites;
  bool generic_kernel = false;
  std::optional<v1::SandboxPolicy> sandbox;
  pid_t keeper = 0;  // 0: none
};

// Compiles a stack: Epoch::Compile with the server's registry.
using EpochCompiler = std::function<absl::StatusOr<std::shared_ptr<const Epoch>>(const EpochSpec&)>;

class Sessions {
 public:
  struct Options {
    EpochCompiler compile;
    // False: doorbells are waited for by futex(2) in a thread per session, as on kernels before 6.7.
    bool allow_io_uring = true;
    // What sessions learn of call sites, for those to come; null: it is forgotten.
    std::shared_ptr<SiteLibrary> sites;
    // A session that nobody has joined for so long ends.
    absl::Duration join_within = absl::Minutes(1);
  };

  // REQUIRES: `reactor` outlives the result; its Run() is called on some thread for as long as sessions are served.
  static absl::StatusOr<std::unique_ptr<Sessions>> Start(Reactor& reactor, Options options);
  // Stops serving: living sessions end without a signal to their guests, whose keepers see the server go.
  // REQUIRES: no other call is in progress. The reactor runs, or has stopped for good.
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  // Makes the memories and publishes epoch 1. INVALID_ARGUMENT as Epoch::Compile; ALREADY_EXISTS: the name is in use;
  // RESOURCE_EXHAUSTED: fds or memory. Waits for the end of a deserted session of that name.
  absl::StatusOr<SessionInfo> Create(const SessionOptions& options);
  // Living sessions, oldest first. Waits as Settle() does.
  std::vector<SessionInfo> List() const;
  // `session`, here and below, is an id or the name of a living session. Also answers for sessions that ended lately.
  absl::StatusOr<SessionInfo> Get(std::string_view session) const;

  // Publishes a new epoch with another stack and the session's overrides; returns its number. A call whose placement is
  // read after the return is served by the new epoch. With a `drain_until` after now it also waits, as Drain() does:
  // then DEADLINE_EXCEEDED means that the epoch is published and calls of earlier ones still run.
  absl::StatusOr<uint32_t> PublishStack(std::string_view session, const std::vector<std::string>& layers,
                                        absl::Time drain_until = absl::InfinitePast());
  // Publishes a new epoch of the same stack with other overrides: each replaces the one of the same syscall, one
  // without a placement takes it away ("all" without a placement: all of them). Returns the epoch's number.
  absl::StatusOr<uint32_t> Place(std::string_view session, const std::vector<Override>& overrides);
  // Waits until no call of an epoch before `epoch` (0: the current one) runs in shim or server; calls that block in the
  // kernel are excepted. Returns the epoch. DEADLINE_EXCEEDED; FAILED_PRECONDITION: such an epoch is not published yet,
  // or the session ended meanwhile.
  absl::StatusOr<uint32_t> Drain(std::string_view session, uint32_t epoch, absl::Time deadline);

  // Sends `signal` to every guest, SIGKILL after `grace`, and ends the session. Waits for that. Returns how many guests
  // were signalled at first.
  absl::StatusOr<uint32_t> Stop(std::string_view session, int signal = SIGTERM,
                                absl::Duration grace = absl::Seconds(2));
  // Waits until the session has ended; OK at once for one that ended lately. DEADLINE_EXCEEDED.
  absl::Status Wait(std::string_view session, absl::Time deadline);
  // FAILED_PRECONDITION unless the session is alive and takes one more guest tree. Returns its info.
  absl::StatusOr<SessionInfo> ExecInto(std::string_view session);

  // Waits for the ends of sessions that are deserted, so that who has seen the last process of one exit does not find
  // it alive.
  void Settle() const;
  size_t Living() const;
  // When the last session ended (or this object was made), while none lives; InfiniteFuture() while one does.
  absl::Time IdleSince() const;
  // Whether `pid` or one of its ancestors is a guest of a living session. Reads /proc.
  bool IsGuest(pid_t pid) const;
  // Threads that wait for doorbells, and how: "io_uring futex" or "futex".
  size_t Workers() const;
  std::string_view Waiting() const;

  // For the fd socket.
  std::shared_ptr<Session> Find(uint32_t number) const;

 private:
  struct State;
  explicit Sessions(std::shared_ptr<State> state);
  const std::shared_ptr<State> state_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SESSION_SESSIONS_H_
