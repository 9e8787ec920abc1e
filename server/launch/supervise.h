// Standing in for a session's main guest: waiting, signals, job control, exit code; and keeping meanwhile.
//
// The guest stays in the launcher's process group, so what the terminal sends (^C, ^\, ^Z, hang-up) reaches the guest
// from the kernel; the launcher lets it pass by. What is sent to the launcher alone it sends on. When the guest stops,
// the launcher stops too, so that the shell sees its job stop; continued, it continues the guest. It goes on by itself
// when the guest has ended meanwhile.
#ifndef GUISE_SERVER_LAUNCH_SUPERVISE_H_
#define GUISE_SERVER_LAUNCH_SUPERVISE_H_

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "server/launch/keeper.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

// Signals of this process, taken in order. To be made before the process's first thread starts, so that every thread
// has them blocked.
class SignalInbox {
 public:
  // Blocks all signals but those that tell of a fault, and gives SIGCHLD its default disposition (a parent may have
  // left it ignored, and then children cannot be waited for).
  static absl::StatusOr<SignalInbox> Open();

  // Of a signal that asks for the end, and came before there was a guest to give it to; 0: none.
  int AskedToEnd() const;
  // Ends this process as the signal would have.
  static void EndBy(int signal);

  int fd() const { return fd_.get(); }

 private:
  explicit SignalInbox(OwnedFd fd) : fd_(std::move(fd)) {}

  OwnedFd fd_;
};

// Waits for the end of `guest`, a child of this process. Returns its exit code, or 128 + n when signal n ended it.
// Says on stderr, once, when the server is gone, and what panic records the session left behind.
// `stops`: a byte there tells that the guest was stopped, when `guest` is guise-init, which is not; -1: none.
// `in_own_session`: what the terminal sends to this process's group does not reach the guest, and is passed on.
// `keeper`: null: there is no session.
int Supervise(pid_t guest, const SignalInbox& inbox, Keeper* keeper, int stops = -1, bool in_own_session = false);

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_SUPERVISE_H_
