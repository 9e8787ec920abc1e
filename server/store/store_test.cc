#include "server/store/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "proto/wire/layout.h"
#include "proto/wire/slot.h"
#include "proto/wire/version.h"

namespace guise::server {
namespace {

using wire::InodeKey;
using wire::OverlayValue;

constexpr uint32_t kSlot = 9;

class StoreTest : public testing::Test {
 protected:
  explicit StoreTest(uint64_t reply_size = wire::kReplySizeDefault) : reply_size_(reply_size) {
    void* mapped =
        mmap(nullptr, reply_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) abort();
    reply_ = static_cast<char*>(mapped);
    Store::Options options;
    options.session = 0xabcd;
    options.owner_uid = 1000;
    options.owner_gid = 1001;
    options.reply = {reply_, reply_size};
    options.publish_overlays = [this](const OverlayPlace& place) { place_ = place; };
    absl::StatusOr<std::unique_ptr<Store>> store = Store::Create(std::move(options));
    if (!store.ok()) abort();
    store_ = *std::move(store);
    // A successor's or keeper's view of the same memory.
    void* view = mmap(nullptr, wire::kStoreSizeDefault, PROT_READ, MAP_SHARED, store_->fd(), 0);
    if (view == MAP_FAILED) abort();
    view_ = static_cast<const char*>(view);
  }
  void TearDown() override {
    store_.reset();
    munmap(reply_, reply_size_);
    munmap(const_cast<char*>(view_), wire::kStoreSizeDefault);
  }

  const wire::StoreHeader& header() const { return *reinterpret_cast<const wire::StoreHeader*>(view_); }

  wire::Lookup Published(const InodeKey& key, OverlayValue* value) const {
    for (const auto& [offset, log2] : {std::pair(place_.overlay_offset, place_.overlay_log2),
                                       std::pair(place_.overlay_old_offset, place_.overlay_old_log2)}) {
      if (log2 == 0) continue;
      const auto found =
          wire::FindOverlay(reinterpret_cast<const wire::Cell<uint8_t>*>(reply_ + offset), log2, key, value);
      if (found != wire::Lookup::kMiss) return found;
    }
    return wire::Lookup::kMiss;
  }

  int CommitOwner(uint64_t sequence, const InodeKey& key, std::optional<uint32_t> uid, std::optional<uint32_t> gid) {
    const PendingChange change = FileChange{key, uid, gid};
    return store_->Commit(kSlot, sequence, 0, {&change, 1});
  }

  const uint64_t reply_size_;
  char* reply_;
  const char* view_;
  OverlayPlace place_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, MemoryIsSealedAndSaysWhatItIs) {
  EXPECT_EQ(fcntl(store_->fd(), F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
            F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  EXPECT_EQ(header().magic, wire::kStoreMagic);
  EXPECT_EQ(header().session, 0xabcdu);
  EXPECT_EQ(header().size, wire::kStoreSizeDefault);
  EXPECT_EQ(header().host_ids.Acquire(), uint64_t{1000} << 32 | 1001);
  store_->NoteEpoch(4, "fakeroot,legacy");
  EXPECT_STREQ(header().stack, "fakeroot,legacy");
  EXPECT_EQ(header().epoch.Acquire(), 4u);
  store_->NoteEpoch(5, std::string(1000, 'x'));
  EXPECT_EQ(strlen(header().stack), wire::kStackNameSize - 1);
}

TEST_F(StoreTest, SizesThatCannotHoldTheLayoutAreRefused) {
  Store::Options options;
  options.size = uint64_t{1} << 20;
  EXPECT_EQ(Store::Create(std::move(options)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(StoreTest, ACommitLeavesItsIntentAndIsAppliedAndPublished) {
  const InodeKey key = {5, 6, 7, 8};
  EXPECT_EQ(CommitOwner(41, key, 1, std::nullopt), 0);
  EXPECT_EQ(CommitOwner(42, key, std::nullopt, 2), 0);
  const wire::SlotLog& log = store_->log(kSlot);
  EXPECT_EQ(log.commit.Acquire(), wire::Key(42, 0));
  EXPECT_EQ(log.applied.Acquire(), wire::Key(42, 0));
  EXPECT_EQ(log.changes.Relaxed(), 1u);
  // An absolute post-image: also what the call did not name.
  EXPECT_EQ(log.change[0].inode.value.uid, 1u);
  EXPECT_EQ(log.change[0].inode.value.gid, 2u);
  EXPECT_EQ(log.change[0].inode.value.fields, uint32_t{wire::kOverlayUid | wire::kOverlayGid});
  OverlayValue value;
  EXPECT_EQ(Published(key, &value), wire::Lookup::kHit);
  EXPECT_EQ(value.uid, 1u);
  EXPECT_EQ(value.gid, 2u);
  EXPECT_EQ(store_->FindInode(key)->gid, 2u);
  // The successor's way to the same entry.
  EXPECT_EQ(wire::FindOverlay(reinterpret_cast<const wire::Cell<uint8_t>*>(view_ + header().inode_offset.Acquire()),
                              header().inode_log2.Acquire(), key, &value),
            wire::Lookup::kHit);
  EXPECT_EQ(header().inode_count.Acquire(), 1u);
}

TEST_F(StoreTest, TwoChangesOfOneCallToOneFileBothHold) {
  const InodeKey key = {5, 6, 7, 8};
  const PendingChange changes[] = {FileChange{key, 1, std::nullopt}, FileChange{key, std::nullopt, 2}};
  EXPECT_EQ(store_->Commit(kSlot, 1, 0, changes), 0);
  EXPECT_EQ(store_->FindInode(key)->uid, 1u);
  EXPECT_EQ(store_->FindInode(key)->gid, 2u);
}

TEST_F(StoreTest, GroupsOfDirectoriesAreRemembered) {
  uint64_t sequence = 0;
  const auto commit = [&](uint64_t ino, std::optional<uint32_t> gid, uint32_t mode) {
    const PendingChange change = FileChange{.key = {ino, 6, 7, 8}, .uid = 1, .gid = gid, .mode = mode};
    EXPECT_EQ(store_->Commit(kSlot, ++sequence, 0, {&change, 1}), 0);
    return store_->past().groups;
  };
  EXPECT_EQ(commit(5, 2, S_IFREG | 02755), KeptGroups::kNone);
  EXPECT_EQ(commit(6, std::nullopt, S_IFDIR | 02755), KeptGroups::kNone) << "it has its own group";
  EXPECT_EQ(commit(6, 2, S_IFDIR | 0755), KeptGroups::kOfDirectory);
  EXPECT_EQ(commit(6, 2, S_IFDIR | 02755), KeptGroups::kInherited);
  EXPECT_EQ(commit(7, 2, S_IFDIR | 0755), KeptGroups::kInherited);
}

TEST_F(StoreTest, AttributesAreKeptByFileAndName) {
  const InodeKey key = {5, 6, 7, 8};
  const InodeKey other = {5, 6, 8, 8};
  uint64_t sequence = 0;
  const auto commit = [&](const InodeKey& file, std::string_view name, std::optional<std::string_view> value) {
    const PendingChange change = AttributeChange{file, name, value};
    return store_->Commit(kSlot, ++sequence, 0, {&change, 1});
  };
  using namespace std::string_view_literals;
  EXPECT_FALSE(store_->past().keeps_attributes);
  EXPECT_EQ(commit(key, "trusted.a", "one"), 0);
  EXPECT_TRUE(store_->past().keeps_attributes);
  EXPECT_EQ(commit(key, "trusted.b", "\0two"sv), 0);
  EXPECT_EQ(commit(other, "trusted.a", ""), 0);
  EXPECT_EQ(store_->FindAttributes(key).names, "trusted.a\0trusted.b\0"sv);
  EXPECT_EQ(store_->FindAttributes(key).Find("trusted.a"), "one");
  EXPECT_EQ(store_->FindAttributes(key).Find("trusted.b"), "\0two"sv);
  EXPECT_EQ(store_->FindAttributes(key).Find("trusted"), std::nullopt);
  EXPECT_EQ(store_->FindAttributes(other).Find("trusted.a"), "");
  EXPECT_EQ(commit(key, "trusted.a", "three"), 0);
  EXPECT_EQ(store_->FindAttributes(key).Find("trusted.a"), "three");
  EXPECT_EQ(store_->FindAttributes(key).Find("trusted.b"), "\0two"sv);
  EXPECT_EQ(commit(key, "trusted.b", std::nullopt), 0);
  EXPECT_EQ(store_->FindAttributes(key).names, "trusted.a\0"sv);
  EXPECT_EQ(commit(key, "trusted.c", std::string(Store::kMostAttributes, 'x')), -ENOSPC) << "too much of one file";
  EXPECT_EQ(store_->FindAttributes(key).names, "trusted.a\0"sv);
  // The successor's way to all of them: from the last back to the first, the latest of a file holds.
  std::vector<uint64_t> numbers;
  for (uint64_t at = header().attributes.Acquire(); at != 0;) {
    const auto& block = *reinterpret_cast<const wire::AttributeBlock*>(view_ + wire::kStoreHeapOffset + at - 1);
    numbers.push_back(block.key.birth_nanoseconds);
    at = block.before.Acquire();
  }
  EXPECT_EQ(numbers, (std::vector<uint64_t>{7, 7, 8, 7, 7}));
}

TEST_F(StoreTest, AHundredThousandFilesAreKeptAndPublished) {
  constexpr uint32_t kCount = 100000;
  for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(CommitOwner(i + 1, {i, 1, 1, 3}, i, 0), 0);
  OverlayValue value;
  for (uint32_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(Published({i, 1, 1, 3}, &value), wire::Lookup::kHit) << i;
    ASSERT_EQ(value.uid, i);
  }
  for (uint64_t i = 0; header().inode_old_log2.Acquire() != 0; ++i)
    ASSERT_EQ(CommitOwner(i + kCount, {0, 1, 1, 3}, 0, 0), 0);
  EXPECT_EQ(store_->inodes(), kCount);
  EXPECT_EQ(header().inode_count.Acquire(), kCount);
}

TEST_F(StoreTest, StepsAreLoggedUnderTheirKeys) {
  store_->LogStep(kSlot, wire::Key(7, 1), 11);
  store_->LogStep(kSlot, wire::Key(7, 2), 12);
  store_->LogStep(kSlot, wire::Key(7, wire::kLoggedSteps + 1), 13);
  const wire::SlotLog& log = store_->log(kSlot);
  EXPECT_EQ(log.steps[0].key.Acquire(), wire::Key(7, 1));
  EXPECT_EQ(log.steps[1].result.Relaxed(), 12u);
  EXPECT_EQ(log.commit.Acquire(), 0u);
}

TEST_F(StoreTest, AnIdentityIsFoundByItsHolderOnly) {
  IdentityChange change = {.process = 4, .generation = 2, .execs = 3, .identity = api::Identity::Root()};
  change.identity.uid = {1, 2, 3, 4};
  for (uint32_t i = 0; i < 100; ++i) change.identity.groups.push_back(i);
  EXPECT_FALSE(store_->past().diverged);
  const PendingChange pending = change;
  EXPECT_EQ(store_->Commit(kSlot, 1, 0, {&pending, 1}), 0);
  EXPECT_TRUE(store_->past().diverged);
  const std::optional<KnownIdentity> known = store_->FindIdentity(4, 2);
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(known->identity, change.identity);
  EXPECT_EQ(known->execs, 3u);
  EXPECT_FALSE(store_->FindIdentity(4, 1).has_value());
  EXPECT_FALSE(store_->FindIdentity(4, 3).has_value());
  EXPECT_FALSE(store_->FindIdentity(5, 0).has_value());
}

TEST_F(StoreTest, GroupListsThatDoNotChangeTakeNoSpaceAgain) {
  IdentityChange change = {.process = 4, .generation = 2, .execs = 0, .identity = {}};
  for (uint32_t i = 0; i < 2000; ++i) change.identity.groups.push_back(i);
  PendingChange pending = change;
  EXPECT_EQ(store_->Commit(kSlot, 1, 0, {&pending, 1}), 0);
  const uint64_t used = header().heap_used.Acquire();
  for (uint32_t i = 2; i < 20000; ++i) {
    change.identity.uid.real = i;
    pending = change;
    ASSERT_EQ(store_->Commit(kSlot, i, 0, {&pending, 1}), 0);
  }
  EXPECT_EQ(header().heap_used.Acquire(), used);
  EXPECT_EQ(store_->FindIdentity(4, 2)->identity, change.identity);
}

TEST_F(StoreTest, AFullHeapIsEnospcAndChangesNothing) {
  IdentityChange change = {.process = 4, .generation = 2, .execs = 0, .identity = {}};
  int error = 0;
  uint32_t i = 0;
  for (; error == 0 && i < 100000; ++i) {
    change.identity.groups.assign(2000, i);
    const PendingChange pending = change;
    error = store_->Commit(kSlot, i + 1, 0, {&pending, 1});
  }
  EXPECT_EQ(error, -ENOSPC);
  EXPECT_EQ(store_->FindIdentity(4, 2)->identity.groups[0], i - 2);
}

class SmallReplyTest : public StoreTest {
 protected:
  // Room for the first table, not for the second.
  SmallReplyTest() : StoreTest(wire::kTablesOffset + (uint64_t{256} << 10)) {}
};

TEST_F(SmallReplyTest, AFullReplyMemoryIsEnospcAndChangesNothing) {
  uint32_t count = 0;
  while (CommitOwner(count + 1, {count, 1, 1, 3}, count, 0) == 0) ASSERT_LT(++count, 10000u);
  EXPECT_EQ(count, (1u << InodeTable::kFirstLog2) / 4 * 3);
  EXPECT_EQ(CommitOwner(count + 2, {count + 9, 1, 1, 3}, 1, 1), -ENOSPC);
  EXPECT_EQ(store_->log(kSlot).commit.Acquire(), wire::Key(count, 0));
  // What is there can still be changed.
  EXPECT_EQ(CommitOwner(count + 3, {5, 1, 1, 3}, 77, 0), 0);
  OverlayValue value;
  EXPECT_EQ(Published({5, 1, 1, 3}, &value), wire::Lookup::kHit);
  EXPECT_EQ(value.uid, 77u);
  EXPECT_EQ(Published({count + 9, 1, 1, 3}, &value), wire::Lookup::kMiss);
}

}  // namespace
}  // namespace guise::server
