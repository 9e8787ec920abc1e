// SiteLibrary: what a user's sessions have learned of call sites, for those to come.
//
// A session's guests say which sites of which files take many signals. The server reads the files itself, keeps what it
// finds to be so, gives it to each new session in reply memory, and keeps it on disk. What guests or the file on disk
// claim of a site beyond what the server has read changes nothing but speed.
//
// Only for sessions of the user that the server runs as, for others name files that they could not read; and not for
// sandboxes, which are not to know what else the user runs. Those are told of the server's own libraries.
//
// Thread safety: all functions. The work is done by a thread of its own, in order.
#ifndef GUISE_SERVER_SITES_SITE_LIBRARY_H_
#define GUISE_SERVER_SITES_SITE_LIBRARY_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/channel/shared_memory.h"
#include "server/sites/prover.h"
#include "server/sites/sites.pb.h"

namespace guise::server {

class SiteLibrary {
 public:
  // Kept in `directory`, which is made when there is something to keep; empty: as long as this lives.
  explicit SiteLibrary(std::string directory);
  // Does first what has been asked for.
  ~SiteLibrary();
  SiteLibrary(const SiteLibrary&) = delete;
  SiteLibrary& operator=(const SiteLibrary&) = delete;

  // Of the server's own libraries what is so whoever runs, or also what has been learned.
  enum class Known { kOwnLibraries, kAll };
  // A session begins: it is given what is known. Its guests may run already.
  void Fill(std::shared_ptr<const SessionMemories> memories, Known known);
  // A session has ended.
  void Learn(std::shared_ptr<const SessionMemories> memories);
  // Waits until all that was asked for is done.
  void Settle();

 private:
  struct Entry {
    sites::File file;
    bool proven = false;  // its sites have been found in the file
  };

  enum class Turn { kFirst, kLast };
  void Post(Turn turn, std::function<void()> job);
  void Run();

  // On the thread.
  void Load();
  void Save();
  void FillNow(const SessionMemories& memories, Known known);
  void WriteLearned(const SessionMemories& memories);
  void LearnNow(const SessionMemories& memories);
  bool Merge(const sites::File& learned);
  void Prune();

  const std::string directory_;
  bool loaded_ = false;
  bool changed_ = false;                                   // since it was written down
  std::map<uint64_t, Entry> files_;                        // by key
  std::optional<std::vector<sites::File>> own_libraries_;  // once they are asked for
  Prover prover_;
  std::set<uint64_t> gone_;  // keys that may still be on disk

  absl::Mutex mutex_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool ends_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // the last member: it uses the others
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SITES_SITE_LIBRARY_H_
