// Census: which guests of a session live. Holds a pidfd of each that it has met, and has the strand give back what one
// held when it dies.
//
// A process record is only a guest's word: a pidfd is opened for the process of that pid when it was there at the time
// the record was taken. A record without such a process is a dead one's and goes back, unless the session has guests in
// pid namespaces of their own, whose pids mean nothing here: such records are left alone. The guests of a sandbox share
// one, which they cannot leave for another (its filter), and the kernel says who is called so there, once a guest has
// been found by looking through /proc. Who is found, in either way, has to use the session's memory.
//
// Thread safety: every function may be called from any thread, without the strand's lock held.
#ifndef GUISE_SERVER_SESSION_CENSUS_H_
#define GUISE_SERVER_SESSION_CENSUS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/channel/shared_memory.h"
#include "server/guest/pid_namespace.h"
#include "server/guest/process.h"
#include "server/reactor/owned_fd.h"
#include "server/reactor/reactor.h"
#include "server/session/sessions.h"
#include "server/session/strand.h"

namespace guise::server {

class Census : public std::enable_shared_from_this<Census> {
 public:
  // `changed` is called on the reactor's thread after a guest's death. REQUIRES: `reactor` outlives the result.
  Census(Reactor& reactor, std::shared_ptr<SessionMemories> memories, std::shared_ptr<Strand> strand, bool in_namespace,
         std::function<void()> changed);

  // A process has posted its first call.
  void Meet(const HeldProcess& posted);
  // Looks at all records, meets who is new and gives back what nobody holds. Returns how many guests may be alive.
  size_t Scan();
  // Scan(), and gives back threads that are lost (Strand::ReclaimLost).
  void LookForLost();
  // Scan(), without records that name a process which has nothing to do with this session. Reads more of /proc.
  size_t Remaining();
  // Those that live and are known, by rising pid.
  std::vector<GuestInfo> Living() const;
  bool Holds(pid_t pid) const;
  // Sends to all that are known and use the session's memory (a record is a guest's word, and must not make the server
  // kill a stranger); returns to how many.
  uint32_t Signal(int signal);
  // Waits until one of those that are known has died, or none is known.
  void AwaitDeath(absl::Time deadline) const;
  // Deaths and first meetings so far: tells whether anything has happened.
  uint64_t Events() const;

  // Lets go of all; nothing is reclaimed any more.
  void Close();

 private:
  using Key = std::pair<uint32_t, uint64_t>;  // process record and owner word
  struct Guest {
    pid_t pid = 0;  // here
    OwnedFd pidfd;
  };
  enum class Trust { kPosted, kScanned };  // kScanned: the record may be half written

  // One look at all records, of which a guest may write as many as there are: what it has found out of /proc, where
  // each process is looked at once.
  class Look {
   public:
    Look(const Census& census, bool foreign) : census_(census), foreign_(foreign) {}
    bool foreign() const { return foreign_; }
    Uses UsesMemory(pid_t pid);
    // The processes that are called so in pid namespaces below this process's own.
    std::vector<pid_t> Called(pid_t named);

    std::vector<Strand::DeadProcess> dead;  // found

   private:
    const Census& census_;
    const bool foreign_;
    std::map<pid_t, Uses> uses_;
    std::optional<std::multimap<pid_t, pid_t>> called_;
  };

  // Whether a guest may live behind the record.
  bool Consider(const HeldProcess& held, Trust trust, Look& look);
  bool HasForeign(const std::vector<HeldProcess>& held);
  void Reclaim(const Look& look);
  // The process behind a record. kThere: it is *guest.
  Presence Find(const HeldProcess& held, Look& look, Guest* guest) const;
  // Keeps the namespace of a guest that is called so there.
  void Learn(pid_t named, const Guest& guest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Who is called so in the guests' namespace; 0: nobody. nullopt: not known yet, or the kernel does not say.
  std::optional<pid_t> FindInNamespace(pid_t named) const;
  Uses UsesMemory(pid_t pid) const;
  void WatchSoon(const Key& key);
  void Died(const Key& key);

  Reactor& reactor_;
  const bool in_namespace_;  // all guests are in a pid namespace below ours
  const std::shared_ptr<SessionMemories> memories_;
  const std::shared_ptr<Strand> strand_;
  const std::function<void()> changed_;

  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool foreign_ ABSL_GUARDED_BY(mutex_) = false;    // some guest was pid 1 of a namespace
  PidNamespace namespace_ ABSL_GUARDED_BY(mutex_);  // in_namespace_: that of a guest which has been found
  std::map<Key, Guest> guests_ ABSL_GUARDED_BY(mutex_);
  std::set<pid_t> pids_ ABSL_GUARDED_BY(mutex_);    // of guests_: many records may name one process
  std::set<Key> suspects_ ABSL_GUARDED_BY(mutex_);  // no such process at the last scan
  uint64_t events_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t deaths_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SESSION_CENSUS_H_
