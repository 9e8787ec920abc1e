// Starting a session's first guest: a process that makes its floor, takes what the session hands over, and executes the
// shim's image.
//
// The floor and the session take about as long, and neither needs the other: Begin() comes before there is a session,
// Finish() when there is one. No instruction of the program's runs before both are complete.
//
// Whoever calls may have threads, so until its exec the process calls async-signal-safe functions only (guest_child.h);
// everything that allocates is made before.
#ifndef GUISE_SERVER_LAUNCH_GUEST_START_H_
#define GUISE_SERVER_LAUNCH_GUEST_START_H_

#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/wire/published.h"
#include "server/floor/floor.h"
#include "server/launch/mapping.h"
#include "server/launch/signal_state.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

struct GuestStart {
  int image;                             // O_PATH; borrowed; -1: the program runs without the shim, and has no session
  std::string path;                      // of the program; its judgement is the loader's
  std::vector<std::string> arguments;    // with argv[0]
  std::vector<std::string> environment;  // "NAME=value"
  SignalState signals;                   // what the guest starts with
  rlim_t open_files;                     // the soft RLIMIT_NOFILE that the guest starts with; guarded fds stay below it
  std::vector<sock_filter> filter = {};  // seccomp's, for the guest and all that it starts; empty: none
  // What it starts on; null: the launcher's own. With a new confinement the child is guise-init, and the guest its
  // first child.
  const Floor* floor = nullptr;
  // With a confinement: a pidfd of a guest of the session, whose sandbox is joined; borrowed. -1: a new sandbox.
  int joins = -1;
};

// What a session gives its guest; all of it is borrowed.
struct Handover {
  int request;
  int reply;             // opened for reading
  wire::Hiding* hiding;  // where the session's shim learns what a new confinement hides
};

// A guest on its way. Movable, not thread-safe.
class StartingGuest {
 public:
  // Makes the process. REQUIRES: `start`, and all that it borrows, stays in its place until Finish() has returned.
  // Errors: FAILED_PRECONDITION (this host makes no namespaces), RESOURCE_EXHAUSTED (no free fd below the limit, no
  // process).
  static absl::StatusOr<StartingGuest> Begin(const GuestStart& start);
  StartingGuest(StartingGuest&& other) noexcept;
  StartingGuest& operator=(StartingGuest&&) = delete;
  // A process that is not finished ends here, without a trace of the program.
  ~StartingGuest();

  // Returns the child's process id once the image runs in it, or once it is stopped, which may be before: whoever
  // continues it lets the image run. The guarded fds take the places of
  // proto/wire/handover.h; every other fd of the caller must be close-on-exec or meant for the guest. `handover`: null
  // without the shim.
  // Errors: FAILED_PRECONDITION (this host refuses a part of the floor), OUT_OF_RANGE (arguments and environment are
  // too long; exit code 126), NOT_FOUND (without the shim: no such program), INTERNAL (somebody has ended the process),
  // or what execveat said of the image. To be called once.
  absl::StatusOr<pid_t> Finish(const Handover* handover);

  // Of a new confinement: guise-init writes a byte there whenever the guest is stopped; else -1.
  int stops() const { return stops_.get(); }

 private:
  explicit StartingGuest(const GuestStart& start) : start_(&start) {}
  bool HasInit() const;
  // Of the process that is to run the program, or of guise-init; 0: there is none (any more). Then it is the caller's.
  pid_t TakeGuest();
  enum class Heard { kMessage, kEnd, kStop };
  // The next word of the process.
  Heard Hear(pid_t guest, ConfinementFailure* told) const;
  bool HandOver(const Handover* handover) const;
  // `status`: as waitpid(2) tells it.
  absl::Status WhyNot(const ConfinementFailure& failure, int status) const;

  const GuestStart* start_;
  pid_t child_ = 0;  // 0: finished
  OwnedFd channel_;  // to the guest
  OwnedFd pids_;     // of a joined sandbox: where the guest's id is told
  OwnedFd stops_;
  Mapping hidden_;  // of a new confinement: its wire::Hiding
};

// The places of the three guarded fds.
struct GuardedFds {
  int image;
  int request;
  int reply;
};
// Each the first free number at or below its first choice and below `limit`, all different. RESOURCE_EXHAUSTED when
// there are not three.
absl::StatusOr<GuardedFds> ChooseGuardedFds(rlim_t limit);

// GUISE_SHIM=... for the session's first program.
std::string HandoverVariable(const GuardedFds& fds, const std::string& path);

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_GUEST_START_H_
