// The layout is the one that is committed as layout.txt, has no hidden byte, and keeps apart what must be.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "proto/wire/layout_text.h"

namespace guise::wire {
namespace {

TEST(LayoutTest, IsTheCommittedOne) {
  std::ifstream file("proto/wire/layout.txt");
  ASSERT_TRUE(file.is_open());
  const std::string committed{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(LayoutText(), committed) << "a change of the wire: see layout_dump.cc, and is kAbiMax still true?";
}

// Padding is a place where compilers may differ, and where a field of a new version would hide.
TEST(LayoutTest, FieldsFillTheirStructsWithoutAGap) {
  for (const LayoutStruct& type : kLayoutStructs) {
    uint64_t end = 0;
    uint64_t start = 0;
    for (const LayoutField& field : kLayoutFields) {
      if (std::string(field.of) != type.name) continue;
      if (field.alternative) {
        EXPECT_GE(field.offset, start) << type.name << "." << field.name;
        EXPECT_LE(field.offset + field.size, end) << type.name << "." << field.name;
        continue;
      }
      EXPECT_EQ(field.offset, end) << type.name << "." << field.name;
      start = field.offset;
      end = field.offset + field.size;
    }
    EXPECT_EQ(end, type.size) << type.name;
  }
}

TEST(LayoutTest, EveryStructHasFieldsAndEveryFieldAStruct) {
  for (const LayoutField& field : kLayoutFields) {
    EXPECT_TRUE(std::any_of(std::begin(kLayoutStructs), std::end(kLayoutStructs), [&](const LayoutStruct& type) {
      return std::string(type.name) == field.of;
    })) << field.of;
  }
  for (const LayoutStruct& type : kLayoutStructs) {
    EXPECT_TRUE(std::any_of(std::begin(kLayoutFields), std::end(kLayoutFields), [&](const LayoutField& field) {
      return std::string(type.name) == field.of;
    })) << type.name;
  }
}

// One writer a line: what guests and server write never shares one.
TEST(LayoutTest, LinesOfOneWriterAreLines) {
  for (uint32_t i = 0; i < kSlotsPerGroup; ++i) {
    EXPECT_EQ((offsetof(RequestGroup, slots) + i * sizeof(RequestSlot)) % kLineSize, 0u);
    EXPECT_EQ((offsetof(ReplyGroup, lines) + i * sizeof(ReplyLine)) % kLineSize, 0u);
  }
  EXPECT_EQ(offsetof(RequestSlot, run) % kLineSize, 0u);
  EXPECT_EQ(offsetof(RequestGroup, threads) % kLineSize, 0u);
  EXPECT_EQ(offsetof(RequestGroup, processes) % kLineSize, 0u);
  EXPECT_EQ((offsetof(RequestGroup, root) + offsetof(RequestRoot, bells)) % kLineSize, 0u);
  EXPECT_EQ(offsetof(ReplyGroup, keeper) % kLineSize, 0u);
  EXPECT_EQ(offsetof(ReplyGroup, published) % kLineSize, 0u);
  EXPECT_EQ(offsetof(ReplyGroup, parked) % kLineSize, 0u);
  EXPECT_EQ(offsetof(ReplyGroup, placement) % kLineSize, 0u);
}

// A memory's regions as [from, to).
void ExpectApart(std::vector<std::pair<uint64_t, uint64_t>> regions, uint64_t end) {
  std::sort(regions.begin(), regions.end());
  uint64_t last = 0;
  for (const auto& [from, to] : regions) {
    EXPECT_GE(from, last);
    EXPECT_EQ(from % kPageSize, 0u);
    last = to;
  }
  EXPECT_LE(last, end);
}

TEST(LayoutTest, RegionsOfTheMemoriesDoNotOverlap) {
  const uint64_t groups = uint64_t{kGroups} * kPageSize;
  ExpectApart({{kGroupsOffset, kGroupsOffset + groups},
               {kPanicOffset, kPanicOffset + kPanics * sizeof(PanicRecord)},
               {kBookOffset, kBookOffset + sizeof(Book)},
               {kPayloadOffset, PayloadOffset(kSlots)}},
              kRequestSize);
  ExpectApart({{kGroupsOffset, kGroupsOffset + groups},
               {kActionsOffset, kActionsOffset + kActions * sizeof(Action)},
               {kDirectOffset, kDirectOffset + kDirectSize},
               {kTextRulesOffset, kTextRulesOffset + kTextRulesSize},
               {kBookOffset, kBookOffset + sizeof(Book)},
               {kPayloadOffset, PayloadOffset(kSlots)},
               {kIdentityOffset, kIdentityOffset + kProcesses * sizeof(Identity)},
               {kTablesOffset, kReplySizeDefault}},
              kReplySizeDefault);
  ExpectApart({{0, sizeof(StoreHeader)},
               {kStoreLogOffset, kStoreLogOffset + kSlots * sizeof(SlotLog)},
               {kStoreIdentityOffset, kStoreIdentityOffset + kProcesses * sizeof(StoredIdentity)},
               {kStoreInodeOffset, kStoreHeapOffset},
               {kStoreHeapOffset, kStoreSizeDefault}},
              kStoreSizeDefault);
}

// A dying shim maps nothing: what it needs lies in the window that every guest has.
TEST(LayoutTest, FirstWindowHoldsGroupsActionsAndPanicRecords) {
  EXPECT_LE(kGroupsOffset + uint64_t{kGroups} * kPageSize, kFirstWindow);
  EXPECT_LE(kActionsOffset + kActions * sizeof(Action), kFirstWindow);
  EXPECT_LE(kTextRulesOffset + kTextRulesSize, kFirstWindow);
  EXPECT_LE(kPanicOffset + kPanics * sizeof(PanicRecord), kFirstWindow);
}

}  // namespace
}  // namespace guise::wire
