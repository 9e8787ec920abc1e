// The guest's process between its making and its program: it enters its floor, takes what is handed over, and executes
// the shim's image.
//
// Between launcher and guest goes a socket of messages. Guest to launcher: a ConfinementFailure, and the end; or one
// without an error, when it is ready for the handover. Launcher to guest: a byte, with request and reply memory. It
// ends by the exec; or by the exec's ConfinementFailure.
//
// Invariant: the launcher may have threads, so what runs in the child is async-signal-safe.
#ifndef GUISE_SERVER_LAUNCH_GUEST_CHILD_H_
#define GUISE_SERVER_LAUNCH_GUEST_CHILD_H_

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "proto/wire/published.h"
#include "server/floor/confinement.h"
#include "server/launch/guest_start.h"

namespace guise::server {

// Fds that come with the launcher's byte.
inline constexpr int kHandedOver = 2;

// A message of one byte, with room for the fds.
struct ByteWithFds {
  char byte = 0;
  iovec vector = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(kHandedOver * sizeof(int))] = {};
  msghdr header = {};

  ByteWithFds() {
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
  }
  ByteWithFds(const ByteWithFds&) = delete;
  ByteWithFds& operator=(const ByteWithFds&) = delete;
};

// Whether the guest has told the launcher of a failure, and not that it is ready.
inline bool IsFailure(const ConfinementFailure& told) { return told.error != 0 || told.what != nullptr; }

// What has failed where the sandbox has no room for the guest's process. Compared by its address.
extern const char kNoProcess[];

struct Born {
  pid_t pid;  // as of fork(2)
  bool is_in_cgroup;
};
// A process without what libc does at a fork: nothing but system calls may follow in it. `flags`: of clone(2). It is
// born into the cgroup, where that is one (-1: none) and the kernel can: a child that is not may enter it.
Born RawForkIn(int cgroup, int flags);

// What the child needs, made before it.
struct Child {
  const GuestStart& start;
  GuardedFds fds;  // -1: without the shim
  char* const* arguments;
  char* const* environment;
  const char* image_path;  // where the shim's image lies
  bool has_init;           // process 1 of its namespaces: it becomes guise-init, and its child the guest
  bool is_in_cgroup;       // Born's
  int channel;             // to the launcher
  int stops;               // with has_init: where guise-init tells of the guest's stops
  int pids;                // of a joined sandbox: where the guest's id is told
  wire::Hiding* hiding;    // with has_init: what the floor hides is noted there
};
// REQUIRES: runs in the child, which has nothing else to do.
[[noreturn]] void BecomeGuest(const Child& child);

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_GUEST_CHILD_H_
