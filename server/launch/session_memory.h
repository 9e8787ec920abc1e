// What a keeper or launcher sees of a session's memories: who is alive, who waits, what panicked.
//
// Everything in request memory is a guest's word: each word is read once and bounded before use. Nothing here allocates
// but Panics(), so that a keeper may run in a child forked from a process with threads.
#ifndef GUISE_SERVER_LAUNCH_SESSION_MEMORY_H_
#define GUISE_SERVER_LAUNCH_SESSION_MEMORY_H_

#include <stdint.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/wire/published.h"
#include "proto/wire/request.h"
#include "server/launch/fd_socket.h"
#include "server/launch/mapping.h"

namespace guise::server {

// Movable, not thread-safe.
class SessionMemory {
 public:
  // Maps what the attachment holds; with reply_keeper, the reply memory writable. FAILED_PRECONDITION: the memories are
  // of another ABI.
  static absl::StatusOr<SessionMemory> Map(const Attachment& attachment);

  // The process id of some living guest but `except`, or 0. A record is believed when the kernel knows a process of
  // that id that is no zombie and did not start after the record was taken.
  pid_t AnyLivingGuest(pid_t except) const;

  // Wakes every guest that may be waiting for the server, whatever it waits on.
  void WakeWaitingGuests() const;

  // REQUIRES: mapped with reply_keeper, and this process is the session's keeper.
  void SetServerAlive(bool alive);
  void RaiseGeneration();

  // What guests get while no server answers.
  wire::OnLoss LossPolicy() const;

  // For the keeper, to note what the session's floor hides.
  wire::Hiding* hiding() const { return &reply_group(0)->hiding; }

  // How many panic records were ever written, and those with numbers in [from, PanicCount()) that are still there, as
  // lines for people. Unprintable bytes are replaced.
  uint64_t PanicCount() const;
  std::vector<std::string> Panics(uint64_t from) const;

 private:
  wire::RequestGroup* request_group(uint32_t i) const { return request_.As<wire::RequestGroup>() + i; }
  wire::ReplyGroup* reply_group(uint32_t i) const { return reply_.As<wire::ReplyGroup>() + i; }
  uint32_t GroupsUsed() const;

  Mapping request_;
  Mapping reply_;
  Mapping panics_;
};

// True while `pid` runs (a zombie does not) and was started at or before `taken_at` (CLOCK_BOOTTIME, ns).
bool GuestLives(pid_t pid, uint64_t taken_at);

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_SESSION_MEMORY_H_
