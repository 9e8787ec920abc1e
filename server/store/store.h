// The store of a session: the state that outlives the server, in a memory of its own (wire/store.h), and the published
// inode overlays in reply memory that are derived from it.
//
// A call changes state by one Commit(): the intent with absolute post-images, the commit word, the tables, the
// published overlays, the applied word, in this order. The caller sends the call's answer after that.
//
// Thread safety: none; the session's strand. Guests read the published overlays at any time.
#ifndef GUISE_SERVER_STORE_STORE_H_
#define GUISE_SERVER_STORE_STORE_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "personalities/api/identity.h"
#include "personalities/api/inode.h"
#include "proto/wire/layout.h"
#include "proto/wire/overlay.h"
#include "proto/wire/slot.h"
#include "proto/wire/store.h"
#include "server/store/inode_table.h"
#include "server/store/past.h"

namespace guise::server {

// Where the published overlay tables are: the words of the same names in wire::Published.
struct OverlayPlace {
  uint64_t overlay_offset = 0;
  uint64_t overlay_old_offset = 0;
  uint32_t overlay_log2 = 0;
  uint32_t overlay_old_log2 = 0;
};

// A change that a handler asked for. Fields that are absent keep what is when the call commits.
struct FileChange {
  wire::InodeKey key;
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  std::optional<uint32_t> type = std::nullopt;  // S_IFMT bits
  std::optional<uint32_t> rdev = std::nullopt;  // wire::EncodeDev
  uint32_t mode = 0;                            // native, with `gid`: type and permission bits; 0: not told
};
struct IdentityChange {
  uint32_t process = 0;
  uint32_t generation = 0;
  uint32_t execs = 0;
  api::Identity identity;
};
// Name and value live until the commit. At most one a commit.
struct AttributeChange {
  wire::InodeKey key;
  std::string_view name;
  std::optional<std::string_view> value;  // nullopt: no longer kept
};
using PendingChange = std::variant<FileChange, IdentityChange, AttributeChange>;

// The credentials that a process had when its record had `execs`.
struct KnownIdentity {
  api::Identity identity;
  uint32_t execs = 0;
};

class Store {
 public:
  // Bytes of all extended attributes of a file, names and values: what ext4 has room for, where that is least.
  static constexpr uint64_t kMostAttributes = 4096;

  struct Options {
    uint32_t session = 0;
    uid_t owner_uid = 0;
    gid_t owner_gid = 0;
    uint64_t size = wire::kStoreSizeDefault;
    // The server's mapping of the whole reply memory; overlay tables lie from wire::kTablesOffset to its end.
    absl::Span<char> reply;
    // Writes the place of the overlay tables into the published page, under the sequence lock, before it returns.
    // REQUIRES: not called back into the store.
    std::function<void(const OverlayPlace&)> publish_overlays;
  };

  // Makes the store memory, sealed in its size. RESOURCE_EXHAUSTED: no fd or memory; INVALID_ARGUMENT: the size.
  // REQUIRES: `options.reply` outlives the result.
  static absl::StatusOr<std::unique_ptr<Store>> Create(Options options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // The memory's fd, for the keeper; owned by the store.
  int fd() const { return fd_; }

  // Notes for a successor which epoch is published; `stack` is cut to wire::kStackNameSize - 1 bytes.
  void NoteEpoch(uint32_t epoch, std::string_view stack);

  // --- Inodes
  std::optional<wire::OverlayValue> FindInode(const wire::InodeKey& key) const { return inodes_.Find(key); }
  // As InodeTable::entries().
  uint64_t inodes() const { return inodes_.entries(); }

  // --- Extended attributes
  // What is returned is good for as long as the store is.
  api::KeptAttributes FindAttributes(const wire::InodeKey& key) const;

  // --- Identities
  // nullopt: the process has not changed its identity, as far as the store knows.
  std::optional<KnownIdentity> FindIdentity(uint32_t process, uint32_t generation) const;
  // Writes down what a process inherits. Not a change of state: says what was so already.
  // False: no space for its groups.
  bool Inherit(uint32_t process, uint32_t generation, const KnownIdentity& inherited);

  // --- What has happened so far
  const Past& past() const { return past_; }

  // --- Steps
  // `key` is wire::Key(sequence, step) with step >= 1.
  // Steps beyond wire::kLoggedSteps are not logged.
  void LogStep(uint32_t slot, uint64_t key, uint64_t result);

  // --- Changes
  // Commits and applies the changes of the call `sequence` in `slot`, whose result is `result`. 0, or -ENOSPC: the
  // store or the published tables are full, there are more than wire::kIntentChanges, or the attributes of a file would
  // take more than kMostAttributes; nothing has changed then.
  // REQUIRES: slot < wire::kSlots; processes < wire::kProcesses.
  int Commit(uint32_t slot, uint64_t sequence, uint64_t result, absl::Span<const PendingChange> changes);

  wire::SlotLog& log(uint32_t slot) const;

 private:
  struct HashOfKey {
    size_t operator()(const wire::InodeKey& key) const {
      return absl::HashOf(key.ino, key.birth_seconds, key.birth_nanoseconds, key.dev);
    }
  };

  // The store's own table: where it is, is in the store's header.
  class HeaderJournal final : public InodeTable::Journal {
   public:
    explicit HeaderJournal(Store& store) : store_(store) {}
    void Moved(const InodeTable::Place& current, const InodeTable::Place& old) override;
    void Migrated(uint64_t migrated) override;
    void Counted(uint64_t entries) override;

   private:
    Store& store_;
  };
  // The table in reply memory: where it is, is published.
  class PublishedJournal final : public InodeTable::Journal {
   public:
    explicit PublishedJournal(Store& store) : store_(store) {}
    void Moved(const InodeTable::Place& current, const InodeTable::Place& old) override;
    void Migrated(uint64_t) override {}
    void Counted(uint64_t) override {}

   private:
    Store& store_;
  };

  Store(Options options, int fd, char* memory);

  wire::StoreHeader& header() const;
  wire::StoredIdentity& identity(uint32_t process) const;
  bool Reserve(absl::Span<const PendingChange> changes);
  // What the change makes of the file, after those that the same call makes before it.
  wire::OverlayValue After(const FileChange& change, absl::Span<const wire::Change> earlier) const;
  bool Encode(const api::Identity& identity, uint32_t process, wire::IdentityValue* value);
  // Writes the block that holds from now on; its place in the heap.
  std::optional<uint64_t> Encode(const AttributeChange& change);
  // `bytes` of the heap, rounded up to 8; nullopt: it is full.
  std::optional<uint64_t> Take(uint64_t bytes);
  wire::AttributeBlock& block(uint64_t place) const;
  const uint32_t* GroupsOf(const wire::IdentityValue& value) const;
  api::Identity Decode(const wire::IdentityValue& value) const;
  void Apply(const wire::Change& change);

  const Options options_;
  const int fd_;
  char* const memory_;
  HeaderJournal header_journal_{*this};
  PublishedJournal published_journal_{*this};
  InodeTable inodes_;
  InodeTable published_;
  wire::IdentityValue last_list_ = {};  // the last whose groups went to the heap
  Past past_;
  absl::flat_hash_map<wire::InodeKey, uint64_t, HashOfKey> attributes_;  // the places of the blocks that hold
};

}  // namespace guise::server

#endif  // GUISE_SERVER_STORE_STORE_H_
