// Starting a session's first guest: fork, hand over, exec of the shim's image.
//
// The child is a copy of a process that has threads (gRPC's), so between fork and exec it calls async-signal-safe
// functions only; everything that allocates is made before the fork.
#ifndef GUISE_SERVER_LAUNCH_GUEST_START_H_
#define GUISE_SERVER_LAUNCH_GUEST_START_H_

#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/floor/floor.h"
#include "server/launch/signal_state.h"

namespace guise::server {

struct GuestStart {
  int image;                             // O_PATH; borrowed; -1: the program runs without the shim, and has no session
  int request;                           // borrowed
  int reply;                             // borrowed; opened for reading
  std::string path;                      // of the program; its judgement is the loader's
  std::vector<std::string> arguments;    // with argv[0]
  std::vector<std::string> environment;  // "NAME=value"
  SignalState signals;                   // what the guest starts with
  rlim_t open_files;                     // the soft RLIMIT_NOFILE that the guest starts with; guarded fds stay below it
  std::vector<sock_filter> filter = {};  // seccomp's, for the guest and all that it starts; empty: none
  // What it starts on; null: the launcher's own. With a new confinement the child is guise-init, and the guest its
  // first child.
  const Floor* floor = nullptr;
  wire::Hiding* hiding = nullptr;  // with a confinement: see Confinement::Enter; borrowed
  // With a confinement: a pidfd of a guest of the session, whose sandbox is joined; borrowed. -1: a new sandbox.
  int joins = -1;
  int stops = -1;  // with a new sandbox: guise-init writes a byte there whenever the guest is stopped; borrowed
};

// Returns the child's process id once the image runs in it. The guarded fds take the places of
// proto/wire/handover.h; every other fd of the caller must be close-on-exec or meant for the guest.
// Errors: FAILED_PRECONDITION (this host refuses a part of the floor), RESOURCE_EXHAUSTED (no free fd below the limit,
// no process), OUT_OF_RANGE (arguments and environment are too long; exit code 126), NOT_FOUND (without the shim: no
// such program), or what execveat said of the image.
absl::StatusOr<pid_t> StartGuest(const GuestStart& start);

// The places of the three guarded fds: each the first free number at or below its first choice and below `limit`, all
// different. RESOURCE_EXHAUSTED when there are not three.
struct GuardedFds {
  int image;
  int request;
  int reply;
};
absl::StatusOr<GuardedFds> ChooseGuardedFds(rlim_t limit);

// GUISE_SHIM=... for the session's first program.
std::string HandoverVariable(const GuardedFds& fds, const std::string& path);

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_GUEST_START_H_
