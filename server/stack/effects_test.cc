#include "server/stack/effects.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "proto/wire/slot.h"

namespace guise::server {
namespace {

class EffectsTest : public testing::Test {
 protected:
  // What an answer says behind its result.
  std::array<uint64_t, 5> CopyOuts(bool succeeded) const {
    std::array<uint64_t, 5> words = {};
    effects_.PutCopyOuts(succeeded, words.data());
    return words;
  }

  std::vector<char> outbound_ = std::vector<char>(256);
  Payload payload_{absl::MakeSpan(outbound_)};
  Effects effects_;
};

TEST_F(EffectsTest, ACallThatFailsTellsNothingUnlessItAlwaysTells) {
  effects_.CopyOut(1, "ab", payload_);
  effects_.CopyOut(2, "c", payload_);
  const std::array<uint64_t, 5> told = {wire::CopyOut(1, 0, 2), wire::CopyOut(2, 8, 1)};
  EXPECT_EQ(CopyOuts(true), told);
  EXPECT_EQ(CopyOuts(false), (std::array<uint64_t, 5>{}));
  effects_.CopyOutAlways();
  const std::array<uint64_t, 5> always = {told[0] | wire::kCopyOutMayFail, told[1] | wire::kCopyOutMayFail};
  EXPECT_EQ(CopyOuts(true), always);
  EXPECT_EQ(CopyOuts(false), always);
}

TEST_F(EffectsTest, WhatHasNoPlaceFailsTheCall) {
  EXPECT_TRUE(effects_.empty());
  effects_.CopyOut(6, "a", payload_);
  EXPECT_EQ(effects_.failure(), EFAULT) << "there is no such argument";
  EXPECT_FALSE(effects_.empty());
  effects_.Clear();
  EXPECT_TRUE(effects_.empty());
  effects_.CopyOut(0, std::string(outbound_.size(), 'a'), payload_);
  EXPECT_EQ(effects_.failure(), ENOMEM);
  effects_.Clear();
  for (int i = 0; i < 5; ++i) effects_.CopyOut(0, "a", payload_);
  EXPECT_EQ(effects_.failure(), 0);
  effects_.CopyOut(0, "a", payload_);
  EXPECT_EQ(effects_.failure(), ENOMEM) << "an answer has no more words";
  effects_.Clear();
  for (size_t i = 0; i < wire::kIntentChanges; ++i) effects_.Change(FileChange{});
  EXPECT_EQ(effects_.failure(), 0);
  effects_.Change(FileChange{});
  EXPECT_EQ(effects_.failure(), ENOSPC);
  EXPECT_EQ(effects_.changes().size(), wire::kIntentChanges);
}

TEST_F(EffectsTest, NothingToCopyIsNoEffect) {
  effects_.CopyOut(0, "", payload_);
  EXPECT_TRUE(effects_.empty());
}

}  // namespace
}  // namespace guise::server
