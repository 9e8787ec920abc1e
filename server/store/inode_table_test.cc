#include "server/store/inode_table.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

#include "proto/wire/cell.h"
#include "proto/wire/layout.h"
#include "proto/wire/overlay.h"

namespace guise::server {
namespace {

using wire::InodeKey;
using wire::Lookup;
using wire::OverlayValue;

constexpr uint64_t kBegin = 2 * wire::kPageSize;

// A memory, and the place of its tables under a sequence lock, as in the published page.
class Fixture : public InodeTable::Journal {
 public:
  explicit Fixture(uint64_t size) : size_(size) {
    void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) abort();
    memory_ = static_cast<char*>(mapped);
  }
  ~Fixture() override { munmap(memory_, size_); }

  absl::Span<char> memory() const { return {memory_, size_}; }

  void Moved(const InodeTable::Place& current, const InodeTable::Place& old) override {
    sequence_.Add(1);
    wire::ReleaseFence();
    offset_[0].StoreRelaxed(current.offset);
    log2_[0].StoreRelaxed(current.log2);
    offset_[1].StoreRelaxed(old.offset);
    log2_[1].StoreRelaxed(old.log2);
    sequence_.Release(sequence_.Relaxed() + 1);
    ++moves_;
  }
  void Migrated(uint64_t migrated) override { migrated_ = migrated; }
  void Counted(uint64_t entries) override { counted_ = entries; }

  // A reader, as the shim's: new table, then old; again when the tables have moved.
  Lookup Read(const InodeKey& key, OverlayValue* value) const {
    while (true) {
      const uint32_t sequence = sequence_.Acquire();
      if ((sequence & 1) != 0) continue;
      uint64_t offset[2];
      uint32_t log2[2];
      for (int i = 0; i < 2; ++i) {
        offset[i] = offset_[i].Relaxed();
        log2[i] = log2_[i].Relaxed();
      }
      wire::AcquireFence();
      if (sequence_.Relaxed() != sequence) continue;
      Lookup found = Lookup::kMiss;
      for (int i = 0; i < 2 && found == Lookup::kMiss; ++i) {
        if (log2[i] == 0) continue;
        found =
            wire::FindOverlay(reinterpret_cast<const wire::Cell<uint8_t>*>(memory_ + offset[i]), log2[i], key, value);
      }
      wire::AcquireFence();
      if (sequence_.Relaxed() == sequence) return found;
    }
  }

  int moves() const { return moves_; }
  uint64_t migrated() const { return migrated_; }
  uint64_t counted() const { return counted_; }

 private:
  const uint64_t size_;
  char* memory_;
  wire::Cell<uint32_t> sequence_ = {};
  wire::Cell<uint64_t> offset_[2] = {};
  wire::Cell<uint32_t> log2_[2] = {};
  int moves_ = 0;
  uint64_t migrated_ = 0;
  uint64_t counted_ = 0;
};

InodeKey KeyOf(uint64_t i) { return {i * 3 + 1, static_cast<int64_t>(i), 7, static_cast<uint32_t>(i % 3)}; }

OverlayValue ValueOf(uint32_t n) { return {wire::kOverlayUid | wire::kOverlayGid, n, ~n, 0, 0}; }

TEST(InodeTableTest, KeepsAHundredThousandWhileItGrows) {
  Fixture fixture(uint64_t{64} << 20);
  InodeTable table(fixture.memory(), kBegin, fixture);
  constexpr uint32_t kCount = 100000;
  for (uint32_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(table.Reserve(1));
    table.Put(KeyOf(i), ValueOf(i));
  }
  OverlayValue value;
  for (uint32_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(fixture.Read(KeyOf(i), &value), Lookup::kHit) << i;
    ASSERT_EQ(value.uid, i);
    ASSERT_EQ(table.Find(KeyOf(i))->uid, i);
  }
  EXPECT_EQ(fixture.Read(KeyOf(kCount), &value), Lookup::kMiss);
  EXPECT_FALSE(table.Find(KeyOf(kCount)).has_value());
  while (table.old().log2 != 0) table.Put(KeyOf(0), ValueOf(0));
  EXPECT_EQ(table.entries(), kCount);
  EXPECT_EQ(fixture.counted(), kCount);
  EXPECT_GT(fixture.moves(), 8);
}

TEST(InodeTableTest, ReadersSeeWholeAndCurrentValuesUnderAWriter) {
  Fixture fixture(uint64_t{64} << 20);
  InodeTable table(fixture.memory(), kBegin, fixture);
  constexpr uint32_t kKeys = 60000;
  std::atomic<uint32_t> put = 0;  // keys below it are in the table
  std::atomic<bool> failed = false;
  uint64_t hits = 0;
  std::thread reader([&] {
    uint64_t random = 1;
    while (put.load(std::memory_order_acquire) < kKeys && !failed) {
      const uint32_t known = put.load(std::memory_order_acquire);
      if (known == 0) continue;
      random = random * 6364136223846793005u + 1442695040888963407u;
      const auto i = static_cast<uint32_t>((random >> 33) % known);
      OverlayValue value;
      const Lookup found = fixture.Read(KeyOf(i), &value);
      if (found == Lookup::kTorn) continue;
      // Updates only raise the uid, in steps of kKeys.
      if (found != Lookup::kHit || value.gid != ~value.uid || value.uid % kKeys != i) failed = true;
      ++hits;
    }
  });
  for (uint32_t i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(table.Reserve(1));
    table.Put(KeyOf(i), ValueOf(i));
    put.store(i + 1, std::memory_order_release);
    const uint32_t again = (i * 2654435761u) % (i + 1);
    table.Put(KeyOf(again), ValueOf(again + kKeys));
  }
  reader.join();
  EXPECT_FALSE(failed);
  EXPECT_GT(hits, 0u);
}

// A writer is stopped in the middle of an entry that crosses a page, by the second page being read-only.
struct Stop {
  const Fixture* fixture;
  InodeKey key;
  char* page;
  std::optional<Lookup> seen;
};
Stop* stop = nullptr;

void LookHalfWay(int) {
  OverlayValue value;
  stop->seen = stop->fixture->Read(stop->key, &value);
  mprotect(stop->page, wire::kPageSize, PROT_READ | PROT_WRITE);
}

TEST(InodeTableTest, AnEntryIsTornWhileItIsWritten) {
  Fixture fixture(uint64_t{1} << 20);
  InodeTable table(fixture.memory(), kBegin, fixture);
  ASSERT_TRUE(table.Reserve(1));
  const uint64_t entries = table.current().offset + wire::OverlayEntriesOffset(InodeTable::kFirstLog2);
  const uint64_t crossing = wire::kPageSize / sizeof(wire::OverlayEntry);
  ASSERT_EQ(entries % wire::kPageSize, 0u);
  InodeKey key = {1, 2, 3, 4};
  while (wire::Bucket(key, InodeTable::kFirstLog2) != crossing) ++key.ino;
  table.Put(key, ValueOf(1));

  Stop here = {&fixture, key, fixture.memory().data() + entries + wire::kPageSize, std::nullopt};
  stop = &here;
  struct sigaction before = {};
  struct sigaction look = {};
  look.sa_handler = LookHalfWay;
  ASSERT_EQ(sigaction(SIGSEGV, &look, &before), 0);
  ASSERT_EQ(mprotect(here.page, wire::kPageSize, PROT_READ), 0);
  table.Put(key, ValueOf(2));
  sigaction(SIGSEGV, &before, nullptr);

  EXPECT_EQ(here.seen, Lookup::kTorn);
  OverlayValue value;
  EXPECT_EQ(fixture.Read(key, &value), Lookup::kHit);
  EXPECT_EQ(value.uid, 2u);
}

TEST(InodeTableTest, GrowthDoesNotUndoWhatIsPutMeanwhile) {
  Fixture fixture(uint64_t{64} << 20);
  InodeTable table(fixture.memory(), kBegin, fixture);
  uint32_t count = 0;
  while (table.old().log2 == 0) {
    ASSERT_TRUE(table.Reserve(1));
    table.Put(KeyOf(count), ValueOf(count));
    ++count;
  }
  uint32_t changed = 0;
  for (; table.old().log2 != 0; ++changed) table.Put(KeyOf(changed), ValueOf(changed + 1000000));
  ASSERT_GT(changed, 50u);
  ASSERT_LT(changed, count);
  for (uint32_t i = 0; i < count; ++i) ASSERT_EQ(table.Find(KeyOf(i))->uid, i < changed ? i + 1000000 : i);
}

TEST(InodeTableTest, AFullMemoryRefusesNewEntriesAndKeepsTheOld) {
  const uint64_t first = wire::OverlayTableBytes(InodeTable::kFirstLog2);
  Fixture fixture((kBegin + first + wire::kPageSize) / wire::kPageSize * wire::kPageSize);
  InodeTable table(fixture.memory(), kBegin, fixture);
  uint32_t count = 0;
  while (table.Reserve(1)) table.Put(KeyOf(count), ValueOf(count)), ++count;
  EXPECT_EQ(count, (1u << InodeTable::kFirstLog2) / 4 * 3);
  EXPECT_TRUE(table.NeedsEntry(KeyOf(count)));
  EXPECT_FALSE(table.NeedsEntry(KeyOf(5)));
  table.Put(KeyOf(5), ValueOf(99));
  EXPECT_EQ(table.Find(KeyOf(5))->uid, 99u);
  EXPECT_EQ(table.Find(KeyOf(count - 1))->uid, count - 1);
}

// A guest that goes around the shim can open the memory for writing.
TEST(InodeTableTest, AMemoryThatOthersHaveWrittenToEndsEachSearch) {
  Fixture fixture(uint64_t{64} << 20);
  InodeTable table(fixture.memory(), kBegin, fixture);
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(table.Reserve(1));
    table.Put(KeyOf(i), ValueOf(i));
  }
  std::memset(fixture.memory().data() + kBegin, 0x5a, uint64_t{4} << 20);
  for (uint32_t i = 0; i < 200; ++i) {
    table.Find(KeyOf(i));
    if (table.Reserve(1)) table.Put(KeyOf(i), ValueOf(i));
  }
}

TEST(InodeTableTest, ADeadEntryIsDeadInBothTables) {
  Fixture fixture(uint64_t{64} << 20);
  InodeTable table(fixture.memory(), kBegin, fixture);
  uint32_t count = 0;
  while (table.old().log2 == 0) {
    ASSERT_TRUE(table.Reserve(1));
    table.Put(KeyOf(count), ValueOf(count));
    ++count;
  }
  int while_growing = 0;
  for (uint32_t i = 0; i < count; ++i) {
    table.Put(KeyOf(i), {});
    if (table.old().log2 != 0) ++while_growing;
    OverlayValue value;
    ASSERT_EQ(fixture.Read(KeyOf(i), &value), Lookup::kMiss) << i;
    ASSERT_FALSE(table.Find(KeyOf(i)).has_value());
  }
  EXPECT_GT(while_growing, 50);
}

TEST(InodeTableTest, TheFileThatGetsANumberAgainTakesTheEntryOver) {
  Fixture fixture(uint64_t{64} << 20);
  InodeTable table(fixture.memory(), kBegin, fixture);
  ASSERT_TRUE(table.Reserve(1));
  const InodeKey earlier = {77, 1000, 5, 8};
  InodeKey later = earlier;
  later.birth_seconds = 1001;
  table.Put(earlier, ValueOf(1));
  EXPECT_FALSE(table.Find(later).has_value());
  EXPECT_FALSE(table.NeedsEntry(later));
  table.Put(later, ValueOf(2));
  EXPECT_FALSE(table.Find(earlier).has_value());
  EXPECT_EQ(table.Find(later)->uid, 2u);
  EXPECT_EQ(table.entries(), 1u);
  // Without a birth time nothing is known of the number's past.
  EXPECT_TRUE(table.NeedsEntry({77, 0, 0, 8}));
}

}  // namespace
}  // namespace guise::server
