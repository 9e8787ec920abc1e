#include "server/channel/reply_view.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <vector>

#include "proto/wire/published.h"

namespace guise::server {
namespace {

class DirectTableTest : public testing::Test {
 protected:
  wire::DirectWord Published(wire::Placement placement, const ActionRow& action, uint32_t epoch) {
    constexpr uint32_t kNr = 102;
    constexpr uint8_t kRow = 3;
    auto tables = std::make_unique<Tables>();
    tables->epoch = epoch;
    tables->placement[kNr] = placement;
    tables->action[kNr] = kRow;
    tables->actions[kRow] = action;
    ReplyView(memory_.get()).Publish(*tables, 1);
    const auto* words = reinterpret_cast<const wire::Cell<uint64_t>*>(memory_.get() + wire::kDirectOffset);
    return std::bit_cast<wire::DirectWord>(words[kNr].Relaxed());
  }

  struct Free {
    void operator()(char* memory) const { free(memory); }
  };
  std::unique_ptr<char, Free> memory_{static_cast<char*>(aligned_alloc(wire::kPageSize, wire::kFirstWindow))};
};

ActionRow ValueRow(wire::ActionVerb verb, int64_t value) {
  ActionRow row;
  row.verb = verb;
  row.value = value;
  return row;
}

ActionRow FoldRow(std::vector<uint8_t> from, std::vector<int32_t> constants) {
  ActionRow row;
  row.verb = wire::ActionVerb::kFold;
  row.nr = 257;
  row.count = static_cast<uint8_t>(from.size());
  std::copy(from.begin(), from.end(), row.from);
  std::copy(constants.begin(), constants.end(), row.constants);
  return row;
}

TEST_F(DirectTableTest, NativeCallsAreCountedByTheEpochsParity) {
  for (const uint32_t epoch : {4u, 5u}) {
    const wire::DirectWord word = Published(wire::Placement::kKernel, {}, epoch);
    EXPECT_EQ(word.way, wire::DirectWay::kNative);
    EXPECT_EQ(word.counter, (epoch % 2) * sizeof(uint64_t));
  }
}

TEST_F(DirectTableTest, AConstantAndAnErrorStandThereWithTheirCounter) {
  constexpr uint8_t kShimCounters = wire::kParities * sizeof(uint64_t);
  const wire::DirectWord constant = Published(wire::Placement::kShim, ValueRow(wire::ActionVerb::kConstant, 4711), 5);
  EXPECT_EQ(constant.way, wire::DirectWay::kValue);
  EXPECT_EQ(constant.value, 4711);
  EXPECT_EQ(constant.counter, kShimCounters + sizeof(uint64_t));
  const wire::DirectWord error = Published(wire::Placement::kShim, ValueRow(wire::ActionVerb::kDeny, -38), 6);
  EXPECT_EQ(error.way, wire::DirectWay::kValue);
  EXPECT_EQ(error.value, -38);
  EXPECT_EQ(error.counter, kShimCounters);
}

TEST_F(DirectTableTest, AFoldStandsThereWithItsArgumentsAndWhatMustDiffer) {
  ActionRow row = FoldRow({1, 6, 0, 7}, {-100, 8});
  row.differ[0] = 0;
  row.differ[1] = 1;
  const wire::DirectWord word = Published(wire::Placement::kShim, row, 5);
  EXPECT_EQ(word.way, wire::DirectWay::kFold);
  EXPECT_EQ(word.counter, (wire::kParities + 1) * sizeof(uint64_t));
  EXPECT_EQ(word.nr, 257);
  const auto sources = static_cast<uint32_t>(word.value);
  EXPECT_EQ(wire::FoldSource(sources, 0), 1u);
  EXPECT_EQ(wire::kFoldConstants[wire::FoldSource(sources, 1) - wire::kFoldArguments], -100);
  EXPECT_EQ(wire::FoldSource(sources, 2), 0u);
  EXPECT_EQ(wire::kFoldConstants[wire::FoldSource(sources, 3) - wire::kFoldArguments], 8);
  for (uint32_t i = 4; i < wire::kFoldArguments; ++i) {
    EXPECT_EQ(wire::kFoldConstants[wire::FoldSource(sources, i) - wire::kFoldArguments], 0);
  }
  EXPECT_EQ(wire::FoldSource(sources, 6), 0u);
  EXPECT_EQ(wire::FoldSource(sources, 7), 1u);
}

TEST_F(DirectTableTest, AnAttemptStandsThereIfOnlyARefusalIsAskedAbout) {
  constexpr auto kRefused = static_cast<uint8_t>(wire::AskOn::kRefused);
  constexpr auto kInvalid = static_cast<uint8_t>(wire::AskOn::kInvalid);
  ActionRow row = ValueRow(wire::ActionVerb::kAttempt, 0);
  row.asks = kRefused;
  const wire::DirectWord word = Published(wire::Placement::kShim, row, 5);
  EXPECT_EQ(word.way, wire::DirectWay::kAttempt);
  EXPECT_EQ(word.counter, (wire::kParities + 1) * sizeof(uint64_t));
  for (const int asks : {kInvalid + 0, kRefused | kInvalid}) {
    row.asks = static_cast<uint8_t>(asks);
    EXPECT_EQ(Published(wire::Placement::kShim, row, 5).way, wire::DirectWay::kLook);
  }
  row.asks = kRefused;
  row.tested = 2;
  EXPECT_EQ(Published(wire::Placement::kShim, row, 5).way, wire::DirectWay::kLook) << "at an argument";
  ActionRow fold = FoldRow({0}, {});
  fold.asks = kRefused;
  EXPECT_EQ(Published(wire::Placement::kShim, fold, 5).way, wire::DirectWay::kLook);
}

TEST_F(DirectTableTest, AFoldIntoWhatTheShimMakesIsLookedAt) {
  ActionRow row = FoldRow({0}, {});
  for (const syscall::Nr nr : {syscall::Nr::mmap, syscall::Nr::getdents64}) {
    row.nr = static_cast<uint32_t>(nr);
    EXPECT_EQ(Published(wire::Placement::kShim, row, 1).way, wire::DirectWay::kLook);
  }
}

TEST_F(DirectTableTest, WhatTakesMoreThanAValueIsLookedAt) {
  constexpr int64_t kLarge = int64_t{std::numeric_limits<int32_t>::max()} + 1;
  EXPECT_EQ(Published(wire::Placement::kShim, ValueRow(wire::ActionVerb::kConstant, kLarge), 1).way,
            wire::DirectWay::kLook);
  EXPECT_EQ(Published(wire::Placement::kShim, ValueRow(wire::ActionVerb::kOverlay, 0), 1).way, wire::DirectWay::kLook);
  EXPECT_EQ(Published(wire::Placement::kShim, FoldRow({6}, {0x1234}), 1).way, wire::DirectWay::kLook);
  EXPECT_EQ(Published(wire::Placement::kServer, ValueRow(wire::ActionVerb::kConstant, 1), 1).way,
            wire::DirectWay::kLook);
}

}  // namespace
}  // namespace guise::server
