// Strand: the handlers of one session, one at a time. It sweeps what guests post, runs their conversations, answers,
// gives back what the dead held, and publishes epochs.
//
// Invariants
//  1. What the server decides by is its own: answers, reclaimed words and posts seen are kept here, and not read back
//     from memory that guests may have found a way to write.
//  2. Every word of request memory is read once a decision, and copied before it is checked.
//  3. A conversation, the store and the published page are touched under `mutex_` alone.
//
// Thread safety: every function may be called from any thread. `meet` is called with the strand held: it only hands on.
#ifndef GUISE_SERVER_SESSION_STRAND_H_
#define GUISE_SERVER_SESSION_STRAND_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/wire/layout.h"
#include "server/channel/reply_view.h"
#include "server/channel/request_view.h"
#include "server/channel/shared_memory.h"
#include "server/channel/workers.h"
#include "server/session/sessions.h"
#include "server/stack/conversation.h"
#include "server/stack/session_parts.h"
#include "server/store/store.h"

namespace guise::server {

struct Desk;

// A process record that is held, as its holder says.
struct HeldProcess {
  uint32_t process = 0;
  uint64_t owner = 0;
  pid_t pid = 0;  // in its own pid namespace
  uint64_t taken_at = 0;
  std::string comm;
};

class Strand final : public Sweepable, private Processes {
 public:
  struct Options {
    uint32_t session = 0;
    uid_t owner_uid = 0;
    gid_t owner_gid = 0;
    uint32_t bells = 1;
    uint64_t store_size = wire::kStoreSizeDefault;
    // A process is seen for the first time in a posted call: as its record is now, for it may soon be given back.
    std::function<void(const HeldProcess&)> meet;
  };
  // Publishes `first` as the session's first epoch.
  static absl::StatusOr<std::shared_ptr<Strand>> Create(std::shared_ptr<SessionMemories> memories,
                                                        std::shared_ptr<const Epoch> first, Options options);
  ~Strand() override;

  // --- Sweepable
  const wire::Cell<uint32_t>& Rung(uint32_t bell) override;
  wire::Cell<uint32_t>& Parked(uint32_t bell) override;
  bool Sweep() override;

  // When it has returned, placements that are read lead to this epoch.
  void Publish(std::shared_ptr<const Epoch> epoch);
  std::shared_ptr<const Epoch> Current() const;
  // Whether no call of an epoch before `epoch` runs in shim or server.
  bool Drained(uint32_t epoch) const;

  std::vector<HeldProcess> Held() const;
  // Processes that held records are dead: gives back what they and their threads held, also what they left behind after
  // they had given the records back. `foreign`: records have pids of other pid namespaces; what may be their threads'
  // or those of a record's next holder is left to guests that need it.
  struct DeadProcess {
    uint32_t process;
    uint64_t owner;
  };
  void ReclaimProcesses(const std::vector<DeadProcess>& dead, bool foreign);
  // Gives back threads that are lost: whose process record nobody holds, or whose process, one of `living`, has no such
  // thread any more (execve(2) has killed it), when a look at least a second ago found them so too: who is about to
  // exit is gone by then, and who has just taken a record has written it. Does nothing when called again within a
  // second.
  struct LivingProcess {
    uint64_t owner;
    pid_t pid;  // in the server's pid namespace, as are the ids of its threads
  };
  void ReclaimLost(const std::map<uint32_t, LivingProcess>& living);

  CallTotals Totals() const;
  uint64_t HeapFrames() const;
  uint64_t Panics() const;
  SiteCounts Sites() const;
  int store_fd() const { return store_->fd(); }

  // Ends all conversations without an answer; sweeps do nothing from now on.
  void Close();

 private:
  struct HeldThread {
    uint32_t thread;
    uint64_t owner;
  };

  Strand(std::shared_ptr<SessionMemories> memories, Options options);

  // --- Processes, for conversations
  std::optional<ProcessFacts> Facts(uint32_t process) override ABSL_NO_THREAD_SAFETY_ANALYSIS;
  void ForEachChild(uint32_t process, uint32_t generation,
                    const std::function<void(uint32_t, const ProcessFacts&)>& visit) override;

  bool SweepOnce() ABSL_LOCKS_EXCLUDED(mutex_);
  void Look(uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginCall(uint32_t slot, uint64_t owner, uint64_t sequence) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StepOn(uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(uint32_t slot, Desk& desk, const Answer& answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Identify(uint64_t owner, const wire::RunLine& run, CallCopy& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<const Epoch> Serving(uint32_t epoch) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PublishTables() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Retire() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint32_t OldestInUse() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  HeldProcess Describe(uint32_t process, uint64_t owner) const;
  void ReclaimSlot(uint32_t slot, uint64_t owner) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsLost(uint32_t thread, uint64_t owner, const std::map<uint32_t, LivingProcess>& living) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<HeldThread> ThreadsOf(const std::vector<DeadProcess>& dead, bool foreign) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReclaimThreads(const std::vector<HeldThread>& threads) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HoldsSlot(uint32_t slot, uint64_t owner) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HoldsThread(uint32_t thread, uint64_t owner) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HoldsProcess(uint32_t process, uint64_t owner) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint32_t Groups() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<SessionMemories> memories_;
  const Options options_;
  const RequestView request_;
  std::unique_ptr<Store> store_;  // set once, by Create

  // How many sweeps are asked for since the holder began its last one; not 0: somebody is the holder.
  std::atomic<uint32_t> asked_ = 0;

  mutable absl::Mutex mutex_;
  ReplyView reply_ ABSL_GUARDED_BY(mutex_);
  SessionParts parts_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const Epoch> current_ ABSL_GUARDED_BY(mutex_);
  std::map<uint32_t, std::shared_ptr<const Epoch>> epochs_ ABSL_GUARDED_BY(mutex_);  // that calls may still name
  mutable uint32_t groups_ ABSL_GUARDED_BY(mutex_) = 1;                              // most ever used
  std::vector<uint64_t> posts_seen_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> reclaimed_slots_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> reclaimed_threads_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> reclaimed_processes_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> met_ ABSL_GUARDED_BY(mutex_);          // owner words of processes that were met
  std::map<uint32_t, uint64_t> lost_ ABSL_GUARDED_BY(mutex_);  // at the last look: threads, and their owner words
  absl::Time looked_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::vector<std::unique_ptr<Desk>> desks_ ABSL_GUARDED_BY(mutex_);  // made when first used
  CallTotals tally_ ABSL_GUARDED_BY(mutex_);                          // of reclaimed threads
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SESSION_STRAND_H_
