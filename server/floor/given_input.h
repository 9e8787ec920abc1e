// A file that a sandbox's program is given as descriptor 0, to read: it is opened again on the sandbox's mounts, which
// are read-only, so that its mode, times, attributes and flags stay as they are. A description that was opened outside
// keeps the mount that it was opened on.
#ifndef GUISE_SERVER_FLOOR_GIVEN_INPUT_H_
#define GUISE_SERVER_FLOOR_GIVEN_INPUT_H_

#include <string>

#include "proto/control/v1/sandbox.pb.h"

namespace guise::server {

class GivenInput {
 public:
  GivenInput() = default;
  // Of this process's descriptor 0. Below `root` the new root is put together. Nothing where the descriptor is no file
  // that is open for reading alone, where the file has no path, or where `policy`, a complete one, lets it be written.
  static GivenInput Of(const v1::SandboxPolicy& policy, const std::string& root);

  // Opens the file again as descriptor 0, at the same position. Without effect where that cannot be done: another file
  // lies there now, or this user may not open it. Async-signal-safe. REQUIRES: the host's mounts lie at `root`,
  // read-only, and nothing covers them yet.
  void Reopen() const;

  // What is read from a description moves its position for all who share it: those outside do not share the new one.
  // Async-signal-safe.
  class Position {
   public:
    Position() = default;
    // To be made before Reopen(): another descriptor of what was given.
    explicit Position(const GivenInput& input);
    // Copies both descriptions to `given` and `shown`, for a process that closes all others. False: there are none.
    bool MoveTo(int given, int shown);
    // Whoever shares what was given goes on reading where the sandbox's programs have stopped.
    void GiveBack() const;

   private:
    int given_ = -1;
    int shown_ = -1;
  };

 private:
  std::string path_;  // empty: nothing is opened again
};

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_GIVEN_INPUT_H_
