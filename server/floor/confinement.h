// The floor of a sandboxed session: namespaces, mounts, limits and filters, set up before the first guest instruction.
//
// Prepared in the launcher, which may have threads; entered in a child of clone(2) with CloneFlags(), which is process
// 1 of the new pid namespace: there nothing is called but system calls, so everything that allocates is made by
// Prepare().
#ifndef GUISE_SERVER_FLOOR_CONFINEMENT_H_
#define GUISE_SERVER_FLOOR_CONFINEMENT_H_

#include <errno.h>
#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/control/v1/sandbox.pb.h"
#include "proto/wire/published.h"
#include "server/floor/given_input.h"
#include "server/floor/process_cgroup.h"

namespace guise::server {

class HiddenObjects;

// Why a child could not be confined: pointers into what the launcher has prepared, good in parent and child.
struct ConfinementFailure {
  int error = 0;
  const char* what = nullptr;    // that was tried
  const char* object = nullptr;  // may be null
};
// Notes errno, and what could not be done to what. Async-signal-safe.
inline bool Fail(ConfinementFailure* failure, const char* what, const char* object = nullptr) {
  *failure = {errno, what, object};
  return false;
}

class Confinement {
 public:
  // What Enter() could not do when the host refuses it namespaces.
  static constexpr char kNoNamespaces[] = "cannot make namespaces";

  // `policy`: complete (policy.h). INVALID_ARGUMENT: it cannot be enforced here, and why; INTERNAL, RESOURCE_EXHAUSTED.
  // `guest`: a process of a session that lives, whose sandbox is to be joined; 0: a new one.
  static absl::StatusOr<Confinement> Prepare(const v1::SandboxPolicy& policy, const std::string& working_directory,
                                             pid_t guest);

  // Whether this process can make the namespaces.
  static bool IsPossible();

  // For clone(2), without a signal: the namespaces that a process cannot make for itself, or not first.
  int CloneFlags() const;

  // For clone3(2): the cgroup that the child is to be born in; -1: none.
  int birthplace() const { return cgroup_.birthplace(); }

  // Enters the floor. False: *failure says why, and the process is good for nothing but to end. Async-signal-safe.
  // `image`: a descriptor of the shim's image, which lies at `image_path`; it is replaced by one through which the
  // file's mode and times cannot be changed. -1: there is no shim. REQUIRES: process 1 of the namespaces that
  // CloneFlags() makes, with one thread. `hiding`: where the session's shim learns what is hidden; null: nobody is
  // told. `is_born_there`: in birthplace().
  bool Enter(bool is_born_there, int image, const char* image_path, wire::Hiding* hiding,
             ConfinementFailure* failure) const;

  // Enters the namespaces of a process by its pidfd, in place of Enter(). Of the pid namespace the next child is the
  // first inside: it must Narrow() itself. Async-signal-safe. REQUIRES: one thread.
  bool Join(bool is_born_there, int pidfd, ConfinementFailure* failure) const;
  // Gives up all that guests do not have, for good; `image` as of Enter(). Async-signal-safe.
  bool Narrow(int image, ConfinementFailure* failure) const;

  // Whether guests are in a terminal session of their own: when no descriptor of theirs is the launcher's terminal,
  // they do not reach it by /dev/tty either, and what it sends does not reach them.
  bool in_own_session() const { return in_own_session_; }
  // Where guests start instead of the launcher's working directory, which they do not see; empty: there.
  const std::string& moved_to() const { return moved_to_; }
  // What guests are given as descriptor 0, which Enter() may open again.
  const GivenInput& input() const { return input_; }
  // Why the number of processes is not limited; empty: it is.
  const std::string& no_limit() const { return no_limit_; }

 private:
  // The new root is put together here, and covers it for nobody but us.
  static constexpr char kStage[] = "/tmp";
  static constexpr size_t kMostRules = 256;

  struct Rule {
    std::string source;
    std::string target;  // below the place where the new root is put together
    v1::Access access;
    bool is_directory;
    bool absent;          // hidden, with nothing below it that is shown
    bool covered;         // by a later rule of the same path, or one above it
    ino_t listed_as;      // absent: by its directory
    std::string options;  // of a tmpfs
    // Below what guests may write to, the directories on the way to this one: each is made a mount, which cannot be
    // moved away to make room for another in the rule's place.
    std::vector<std::string> pins = {};
  };

  // What no program of a sandbox needs of the host and its kernel.
  struct Quiet {
    std::string target;
    ino_t listed_as;  // by its directory
  };

  int Namespaces() const;
  void Pin();
  bool MapIds(ConfinementFailure* failure) const;
  bool MakeRoot(HiddenObjects& hidden, ConfinementFailure* failure) const;
  bool PlaceRule(const Rule& rule, int tree, const HiddenObjects& hidden, ConfinementFailure* failure) const;
  bool MakeProc(const HiddenObjects& hidden, ConfinementFailure* failure) const;
  bool MakeDevices(const int* trees, ConfinementFailure* failure) const;
  bool EnterRoot(ConfinementFailure* failure) const;
  bool EnterLandlock(int image, ConfinementFailure* failure) const;

  bool has_user_namespace_ = false;
  bool joins_ = false;
  bool in_own_session_ = true;
  std::string uid_map_, gid_map_;
  std::vector<Rule> rules_;
  std::vector<Quiet> quiet_of_sys_;
  std::string hostname_;
  std::string working_directory_;
  std::string moved_to_;
  std::string no_limit_;
  GivenInput input_;
  v1::Network network_ = v1::NETWORK_NONE;
  rlim_t processes_ = 0;
  ProcessCgroup cgroup_;
  std::vector<sock_filter> filter_;
};

// Process 1: passes signals on to `guest`, reaps whoever dies, and ends with the guest's exit code, 128 + n for signal
// n. A signal that comes by sigqueue(3) with the value kForGroup is for the guest's process group. Its end ends all
// others of its namespace, and gives the position of their input back. Writes a byte to `stops` each time that the
// guest is stopped: process 1 cannot be. Async-signal-safe. REQUIRES: all signals are blocked.
[[noreturn]] void BeInit(pid_t guest, int stops, const GivenInput::Position& input);
inline constexpr int kForGroup = 0x67726f75;

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_CONFINEMENT_H_
