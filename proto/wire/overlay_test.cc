#include "proto/wire/overlay.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace guise::wire {
namespace {

// A table and its writer, as the header describes one.
class Table {
 public:
  explicit Table(uint32_t log2)
      : log2_(log2), memory_(std::make_unique<uint64_t[]>((OverlayTableBytes(log2) + 7) / 8)) {}

  const Cell<uint8_t>* tags() const { return reinterpret_cast<const Cell<uint8_t>*>(memory_.get()); }
  Cell<uint8_t>* tags() { return reinterpret_cast<Cell<uint8_t>*>(memory_.get()); }
  OverlayEntry& entry(uint64_t i) {
    return reinterpret_cast<OverlayEntry*>(reinterpret_cast<char*>(memory_.get()) + OverlayEntriesOffset(log2_))[i];
  }
  uint64_t mask() const { return (uint64_t{1} << log2_) - 1; }

  // The place of the key's entry, or the free place that it gets. REQUIRES: the table is not full.
  uint64_t Place(const InodeKey& key) {
    uint64_t i = Bucket(key, log2_);
    for (;; i = (i + 1) & mask()) {
      if (tags()[i].Relaxed() == 0) return i;
      if (KeyOf(entry(i)) == key) return i;
    }
  }
  void Put(const InodeKey& key, const OverlayValue& value) { WriteOverlay(tags(), log2_, Place(key), key, value); }
  Lookup Find(const InodeKey& key, OverlayValue* value) const { return FindOverlay(tags(), log2_, key, value); }

 private:
  const uint32_t log2_;
  const std::unique_ptr<uint64_t[]> memory_;
};

InodeKey Key(uint64_t ino) { return {ino, 1'700'000'000, 5, EncodeDev(8, 1)}; }
OverlayValue Owned(uint32_t uid, uint32_t gid) { return {kOverlayUid | kOverlayGid, uid, gid, 0, 0}; }

bool operator==(const OverlayValue& a, const OverlayValue& b) {
  return std::tie(a.fields, a.uid, a.gid, a.type, a.rdev) == std::tie(b.fields, b.uid, b.gid, b.type, b.rdev);
}

TEST(EncodeDevTest, IsTheKernelsForSmallAndLargeNumbers) {
  EXPECT_EQ(EncodeDev(8, 1), 0x801u);
  EXPECT_EQ(EncodeDev(0, 0), 0u);
  EXPECT_EQ(EncodeDev(1, 0x100), 0x100100u);
  EXPECT_EQ(EncodeDev(0xfff, 0xfffff), 0xffffffffu);
  for (const uint32_t dev : {0u, 0x801u, 0x100100u, 0xffffffffu}) {
    EXPECT_EQ(EncodeDev(DevMajor(dev), DevMinor(dev)), dev);
  }
}

TEST(OverlayTest, EmptyTableMisses) {
  OverlayValue value;
  for (const uint32_t log2 : {3u, 10u}) EXPECT_EQ(Table(log2).Find(Key(7), &value), Lookup::kMiss);
}

TEST(OverlayTest, FindsWhatWasPutAndItsLastValue) {
  Table table(4);
  table.Put(Key(7), Owned(1, 2));
  table.Put(Key(7), Owned(3, 4));
  OverlayValue value;
  ASSERT_EQ(table.Find(Key(7), &value), Lookup::kHit);
  EXPECT_TRUE(value == Owned(3, 4));
}

TEST(OverlayTest, AnotherBirthTimeOrDeviceIsAnotherFile) {
  Table table(4);
  table.Put(Key(7), Owned(1, 2));
  OverlayValue value;
  InodeKey later = Key(7);
  later.birth_seconds += 1;
  EXPECT_EQ(table.Find(later, &value), Lookup::kMiss);
  later = Key(7);
  later.birth_nanoseconds += 1;
  EXPECT_EQ(table.Find(later, &value), Lookup::kMiss);
  InodeKey elsewhere = Key(7);
  elsewhere.dev = EncodeDev(8, 2);
  EXPECT_EQ(table.Find(elsewhere, &value), Lookup::kMiss);
}

TEST(OverlayTest, DeadEntryMissesAndHidesNobodyBehindIt) {
  Table table(3);
  // Four keys of one bucket: inodes apart by a whole table's hash are found by trying.
  std::vector<InodeKey> keys;
  for (uint64_t ino = 1; keys.size() < 4; ++ino) {
    if (Bucket(Key(ino), 3) == 6) keys.push_back(Key(ino));
  }
  for (size_t i = 0; i < keys.size(); ++i) table.Put(keys[i], Owned(static_cast<uint32_t>(i), 0));
  table.Put(keys[1], OverlayValue{});
  OverlayValue value;
  EXPECT_EQ(table.Find(keys[1], &value), Lookup::kMiss);
  for (const size_t i : {size_t{0}, size_t{2}, size_t{3}}) {
    ASSERT_EQ(table.Find(keys[i], &value), Lookup::kHit) << i;
    EXPECT_EQ(value.uid, i) << "probing goes on past the end of the table";
  }
}

TEST(OverlayTest, FullTableEndsItsProbes) {
  Table table(3);
  for (uint64_t ino = 0; ino < 8; ++ino) table.Put(Key(ino), Owned(0, 0));
  OverlayValue value;
  EXPECT_EQ(table.Find(Key(1000), &value), Lookup::kMiss);
}

TEST(OverlayTest, EntryBeingWrittenIsTornAndNotRead) {
  Table table(4);
  table.Put(Key(7), Owned(1, 2));
  OverlayEntry& entry = table.entry(table.Place(Key(7)));
  entry.sequence.StoreRelaxed(entry.sequence.Relaxed() + 1);
  OverlayValue value = Owned(9, 9);
  EXPECT_EQ(table.Find(Key(7), &value), Lookup::kTorn);
  EXPECT_TRUE(value == Owned(9, 9));
  entry.sequence.StoreRelaxed(entry.sequence.Relaxed() + 1);
  EXPECT_EQ(table.Find(Key(7), &value), Lookup::kHit);
}

TEST(OverlayTest, EntryWithoutItsTagIsNotThereYet) {
  Table table(4);
  table.Put(Key(7), Owned(1, 2));
  table.tags()[table.Place(Key(7))].StoreRelaxed(0);
  OverlayValue value;
  EXPECT_EQ(table.Find(Key(7), &value), Lookup::kMiss);
}

TEST(OverlayTest, TagIsNeverFree) {
  for (uint64_t ino = 0; ino < 100'000; ++ino) ASSERT_NE(Tag(Key(ino)), 0);
}

TEST(OverlayTest, AgreesWithAMap) {
  constexpr uint32_t kLog2 = 12;
  Table table(kLog2);
  std::unordered_map<uint64_t, OverlayValue> map;
  std::mt19937_64 random(1);
  const auto key = [](uint64_t i) {
    // Runs of inodes, birth times that repeat, two devices.
    return InodeKey{i / 4, static_cast<int64_t>(i % 2), static_cast<uint32_t>(i % 2) * 7, EncodeDev(8, i % 4 / 2)};
  };
  for (int i = 0; i < 50'000; ++i) {
    const uint64_t which = random() % ((uint64_t{1} << kLog2) * 3 / 4);
    if (random() % 4 != 0) {
      OverlayValue value = {static_cast<uint32_t>(random() % 16), 0, 0, 0, 0};
      value.uid = static_cast<uint32_t>(random());
      value.rdev = static_cast<uint32_t>(random());
      table.Put(key(which), value);
      map[which] = value;
    }
    const uint64_t sought = random() % (uint64_t{1} << kLog2);
    OverlayValue found;
    const Lookup result = table.Find(key(sought), &found);
    const auto it = map.find(sought);
    if (it == map.end() || it->second.fields == 0) {
      ASSERT_EQ(result, Lookup::kMiss) << sought;
    } else {
      ASSERT_EQ(result, Lookup::kHit) << sought;
      ASSERT_TRUE(found == it->second) << sought;
    }
  }
}

// What locality is for: a walk of a tree touches few pages of the table.
TEST(OverlayTest, NeighbouringInodesShareANeighbourhood) {
  constexpr uint32_t kLog2 = 20;
  std::set<uint64_t> lines;
  for (uint64_t ino = 4096; ino < 4096 + 32; ++ino) lines.insert(Bucket(Key(ino), kLog2) >> 5);
  EXPECT_EQ(lines.size(), 1u);
  // And runs of 32 are spread: no two of 1,000 more than a few times in one place.
  std::unordered_map<uint64_t, int> runs;
  int most = 0;
  for (uint64_t run = 0; run < 1000; ++run) most = std::max(most, ++runs[Bucket(Key(run * 32), kLog2) >> 5]);
  EXPECT_LE(most, 4);
}

// Readers see values that were written together, or none, while a writer rewrites and adds entries.
TEST(OverlayTest, ReadersOfAWriterAtWorkSeeWholeEntries) {
  constexpr uint32_t kKeys = 48;
  Table table(6);
  const auto whole = [](uint32_t n) {
    return OverlayValue{kOverlayUid | kOverlayGid | kOverlayType | kOverlayRdev, n, n * 3, n * 5, n * 7};
  };
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> hits[2] = {};
  const auto read = [&](int reader) {
    std::mt19937 random(static_cast<unsigned>(reader));
    uint32_t last[kKeys] = {};
    while (!stop.load(std::memory_order_relaxed)) {
      const uint32_t i = static_cast<uint32_t>(random() % kKeys);
      OverlayValue value;
      if (table.Find(Key(i), &value) != Lookup::kHit) continue;
      EXPECT_TRUE(value == whole(value.uid));
      EXPECT_GE(value.uid, last[i]) << "an entry went back";
      last[i] = value.uid;
      hits[reader].fetch_add(1);
      if (::testing::Test::HasFailure()) return;
    }
  };
  std::thread first(read, 0);
  std::thread second(read, 1);
  // The writer ends when both readers have seen enough of it, or one has failed.
  std::mt19937 random(7);
  for (uint32_t n = 1; hits[0].load() < 20'000 || hits[1].load() < 20'000; ++n) {
    table.Put(Key(static_cast<uint32_t>(random() % kKeys)), whole(n));
    if (::testing::Test::HasFailure()) break;
  }
  stop.store(true);
  first.join();
  second.join();
}

}  // namespace
}  // namespace guise::wire
